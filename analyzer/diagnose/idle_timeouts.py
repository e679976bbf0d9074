"""How long a device on each path remembers an idle connection: longer than a gap survived, shorter than a fatal one.

A device is not the only thing that kills connections. It is claimed where the silence, and nothing else, tells those
that died from those that lived: its own RST, or a path that carried others while these were dead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.diagnose.groups import by_path
from analyzer.diagnose.limits import Limit
from analyzer.diagnose.silence import Silence
from analyzer.model.columns import Facts
from analyzer.model.words import How
from analyzer.tables.arrays import Column, Mask, are_among, distinct
from analyzer.tables.fields import (
    FIRST_TIME,
    KNOWN,
    LAST_TIME,
    LONGEST_GAP,
    OPEN_GAP,
    OPEN_GAP_END,
    RESET_ABORT,
    RESET_SIDE,
    RESET_TIME,
    RESET_WHY,
    SENT_FIN,
)
from analyzer.tcp import LATE_PART, SECOND

if TYPE_CHECKING:
    from analyzer.knowledge.profiles import Middlebox

# Ends of connections that an idle gap may have brought about.
FATAL = ("middlebox_reset", "middlebox_drop", "dead_peer", "lost_state", "retransmission_timeout")
# No device forgets an established connection sooner.
SHORTEST_NS = 2 * SECOND
# One that forgets without a word after less than this is not known of: two at least must show it, and one that
# survived a silence not much shorter.
USUAL_NS = 20 * SECOND
FEWEST = 3
# A gap that a connection survived does not speak against one that was fatal if it was no longer than by this.
SLACK_NS = 100_000_000
LATENESS = 1 + 1 / LATE_PART
# A device looks at its timers every so often.
ONE_LIMIT = 1.1
NAMED_AT_MOST = 6
PATH_S = 0.5
UNLIMITED = 1 << 40


class Memory(NamedTuple):
    """A path with a device that forgets: its connections, those that were forgotten, and bounds in nanoseconds."""

    streams: Column
    forgotten: Column
    survived: int  # the longest gap that a connection survived; 0: none is known
    fatal: int  # the shortest that one did not
    sure: bool  # an RST of the device's own shows that it is there
    exact: bool = False  # it sent that RST when the time was over, and not in answer to anything

    @property
    def devices(self) -> tuple[Middlebox, ...]:
        """Those known that fit, if their timeouts are all one: otherwise the bounds are too far apart to tell."""
        from analyzer.knowledge.matching import middleboxes

        low, high = self.survived / SECOND, self.fatal / SECOND
        if self.exact:  # but for the way from the device
            low, high = high - PATH_S, high + PATH_S
        fitting = [box for box in middleboxes() if low < box.idle_timeout_s <= high and not box.closes]
        if self.exact:
            fitting = [box for box in fitting if "RST" in box.on_expiry]
        if not low or len({box.idle_timeout_s for box in fitting}) != 1 or len(fitting) > NAMED_AT_MOST:
            return ()
        return tuple(fitting)

    @property
    def safe_idle(self) -> int:
        """An idle time for probes, in whole seconds, that is known to keep the device from forgetting, or likely to."""
        if not self.survived:
            return max(1, int(self.fatal / (2 * SECOND)))
        survived = self.survived // SECOND
        late = survived * LATENESS * SECOND >= self.fatal
        return max(1, int(survived / LATENESS) if late else survived)


def find_memories(
    facts: Facts, judged: Callable[..., Column], silence: Silence, limits: Sequence[Limit]
) -> list[Memory]:
    """The paths (client address, server address) of which that can be said; `judged` gives streams by verdict.

    That is `Context.judged`, which raises ValueError for a verdict that there is not.
    """
    device = distinct(np.concatenate((judged("middlebox_reset"), _reset_at_a_limit(limits))))
    suspects = distinct(np.concatenate((judged(*FATAL), device)))
    dead = suspects
    gaps = silence.last_gap
    # Whoever closed may forget before long, and so may a device what it has seen being closed.
    closing = (facts.tracks.endpoints(KNOWN) & SENT_FIN != 0).any(axis=1)
    suspects = suspects[(gaps[suspects] >= SHORTEST_NS) & ~closing[suspects]]
    if not len(suspects):
        return []
    reset, lost = are_among(suspects, device), are_among(suspects, judged("lost_state"))
    proven = reset.copy()
    proven[lost] = _others_known(facts, silence, suspects[lost])
    # Whom the path refused by an ICMP error was not forgotten: that error is the cause, and is told.
    unsaid = ~reset & ~lost & ~facts.icmp[suspects].any(axis=1)
    proven[unsaid] = silence.heard_while_dead(suspects[unsaid])
    suspects = suspects[proven]
    if not len(suspects):
        return []
    # Whatever died on the same paths without a word, however short its silence: then it was not the silence.
    mute = dead[silence.unheard[dead].any(axis=1)]
    memories = [
        _memory(facts, path, suspects, device, gaps[path[are_among(path, mute)]])
        for path in by_path(facts, silence.on_paths_of(suspects))
    ]
    return [memory for memory in memories if memory is not None]


def safe_idle_times(memories: Sequence[Memory], flows: int) -> Column:
    """For each of so many connections the idle time that is safe on its path, or UNLIMITED: seconds, (flows,)."""
    safe = np.full(flows, UNLIMITED)
    for memory in memories:
        safe[memory.streams] = np.minimum(safe[memory.streams], memory.safe_idle)
    return safe


def _memory(facts: Facts, path: Column, suspects: Column, device: Column, mute: Column) -> Memory | None:
    flows = facts.tracks.flows
    forgotten = path[are_among(path, suspects)]
    by_device = forgotten[are_among(forgotten, device)]
    exact = len(by_device) == len(forgotten) and bool((flows[forgotten, RESET_WHY] == RESET_ABORT).all())
    memory = Memory(
        streams=path,
        forgotten=forgotten,
        survived=int(flows[path, LONGEST_GAP].max()),
        fatal=int(flows[forgotten, OPEN_GAP].min()),
        sure=len(by_device) > 0,
        exact=exact,
    )
    if memory.fatal <= memory.survived - SLACK_NS:
        return None
    if exact and flows[forgotten, OPEN_GAP].max() > memory.fatal * ONE_LIMIT + SECOND:
        return None  # resets out of silences of many lengths: no limit of idle time
    if not memory.sure and len(mute) and mute.min() < min(memory.fatal, max(memory.survived, SHORTEST_NS)):
        return None
    few = len(forgotten) < 2 or 2 * memory.survived < memory.fatal
    return None if not memory.sure and few and memory.fatal < USUAL_NS else memory


def _reset_at_a_limit(limits: Sequence[Limit]) -> Column:
    """Connections that several RSTs ended at one idle limit, over other hops than the packets of their sender."""
    limits = [limit for limit in limits if limit.foreign.sum() >= FEWEST]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *[limit.streams[limit.foreign] for limit in limits]]))


def _others_known(facts: Facts, silence: Silence, streams: Column) -> Mask:
    """Whether the host that forgot each of these still knew another, older one, so that it had not restarted."""
    flows = facts.tracks.flows
    heard, kept = facts.tracks.endpoints(LAST_TIME), facts.how != How.RST
    known = np.zeros(len(streams), bool)
    for place, stream in enumerate(streams.tolist()):
        others = silence.on_path_of(stream)
        began = flows[stream, OPEN_GAP_END] - flows[stream, OPEN_GAP]
        since = heard[others, int(flows[stream, RESET_SIDE]) - 1] > flows[stream, RESET_TIME]
        known[place] = (kept[others] & since & (flows[others, FIRST_TIME] < began)).any()
    return known
