"""How long a device on each path remembers an idle connection: longer than a gap survived, shorter than a fatal one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.diagnose.groups import are_among, by_path, path_keys
from analyzer.diagnose.silence import Silence
from analyzer.kinds import How
from analyzer.layout import FIRST_TIME, LAST_TIME, LONGEST_GAP, OPEN_GAP, OPEN_GAP_END, RESET_SIDE, RESET_TIME
from analyzer.model import Column, Facts, Mask

if TYPE_CHECKING:
    from analyzer.known import Middlebox

# Ends of connections that an idle gap may have brought about.
FATAL = ("middlebox_reset", "middlebox_drop", "dead_peer", "lost_state", "retransmission_timeout")
NANO = 1_000_000_000
# A gap that a connection survived does not speak against one that was fatal if it was no longer than by this.
SLACK_NS = 100_000_000
NAMED_AT_MOST = 6


class Memory(NamedTuple):
    """A path with a device that forgets: its connections, those that were forgotten, and bounds in nanoseconds."""

    streams: Column
    forgotten: Column
    survived: int  # the longest gap that a connection survived; 0: none is known
    fatal: int  # the shortest that one did not
    sure: bool  # a RST of the device's own shows that it is there

    @property
    def devices(self) -> tuple[Middlebox, ...]:
        """Those known that fit, if their timeouts are all one: otherwise the bounds are too far apart to tell."""
        from analyzer.diagnose.catalogue import middleboxes

        low, high = self.survived / NANO, self.fatal / NANO
        fitting = [box for box in middleboxes() if low < box.idle_timeout_s <= high and not box.closes]
        if not self.survived or len({box.idle_timeout_s for box in fitting}) != 1:
            return ()
        return tuple(fitting[:NAMED_AT_MOST])


def find_memories(facts: Facts, judged: Callable[..., Column], silence: Silence) -> list[Memory]:
    """The paths (client address, server address) of which that can be said; `judged` gives streams by verdict."""
    suspects = judged(*FATAL)
    suspects = suspects[silence.last_gap[suspects] > 0]
    if not len(suspects):
        return []
    reset, lost = are_among(suspects, judged("middlebox_reset")), are_among(suspects, judged("lost_state"))
    alive = silence.alive_elsewhere[suspects]
    alive[lost] = [_others_known(facts, stream) for stream in suspects[lost].tolist()]
    suspects = suspects[reset | are_among(suspects, judged("middlebox_drop")) | alive]
    if not len(suspects):
        return []
    keys = path_keys(facts.tracks.flows, np.arange(len(facts)))
    related = np.flatnonzero(are_among(keys, keys[suspects]))
    paths = by_path(facts.tracks.flows, related)
    memories = [_memory(facts, path, suspects, judged("middlebox_reset")) for path in paths]
    return [memory for memory in memories if memory.fatal > memory.survived - SLACK_NS]


def _memory(facts: Facts, path: Column, suspects: Column, reset: Column) -> Memory:
    flows = facts.tracks.flows
    forgotten = path[are_among(path, suspects)]
    return Memory(
        streams=path,
        forgotten=forgotten,
        survived=int(flows[path, LONGEST_GAP].max()),
        fatal=int(flows[forgotten, OPEN_GAP].min()),
        sure=bool(are_among(forgotten, reset).any()),
    )


def _others_known(facts: Facts, stream: int) -> Mask:
    """Whether the host that forgot this connection still knew another, older one, so that it had not restarted."""
    flows = facts.tracks.flows
    side = int(flows[stream, RESET_SIDE]) - 1
    began = flows[stream, OPEN_GAP_END] - flows[stream, OPEN_GAP]
    keys = path_keys(flows, np.arange(len(facts)))
    heard = facts.tracks.endpoints(LAST_TIME)[:, side]
    others = (keys == keys[stream]) & (flows[:, FIRST_TIME] < began) & (heard > flows[stream, RESET_TIME])
    return np.asarray((others & (facts.how != How.RST)).any())
