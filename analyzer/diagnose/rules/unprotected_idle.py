"""The finding unprotected-idle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analyzer.diagnose.advice import USUAL, how_to_set, proposed
from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import MAX_FRAMES, Claim, survey
from analyzer.diagnose.unprobed import USUAL_NS, silences
from analyzer.knowledge.snippets import Timing, every_snippet
from analyzer.model.columns import Facts
from analyzer.model.flows import Flow
from analyzer.model.quantities import duration, several
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    ACKED_UNSEEN,
    END_TIME,
    FIRST_FRAME,
    FIRST_TIME,
    HANDSHAKE,
    KNOWN,
    LONGEST_GAP,
    PACKETS,
    SAW_PURE_ACK,
    SAW_SYN,
)

ENABLE = "Enable keepalive on the side that waits for data, or close connections that stay idle."
EARLY = "Check with `ss -tno` on both hosts whether a keepalive timer runs; where none does, enable keepalive."
GENERAL = "Check first whether the capture contains all of their packets."
ONE_PACKET = 1  # is no silence
# A handshake, or a question and an answer.
FEWEST_PACKETS = 3
# Who was silent for so many times as long as ever before has missed its turns.
MISSED_TURNS = 3
FEWEST_PIECES = 3

# Who waits for longer than any system's default, two hours and its lateness, has no keepalive.
LONGEST_DEFAULT_NS = 7_600_000_000_000


@survey(
    "unprotected-idle",
    severity="medium",
    title="{connections} to {whom} stayed idle without a keepalive probe",
    moment="last packet",
    appendix=f"Settings that detect a dead peer after about {USUAL.total} s:\n\n{every_snippet(USUAL)}",
)
def unprotected_idle(context: Context) -> Iterator[Claim]:
    """Idle connections without keepalive probes.

    They are open, and were silent until the end of the capture without a keepalive probe or an application heartbeat.
    If a peer or the network path failed, neither side would notice until it sends data. A server that only waits for
    data would hold them indefinitely. Keepalive with an idle time longer than this silence looks the same.

    The finding is `medium` once the silence is longer than any common idle time (up to 300 s, apart from the two-hour
    default of operating systems), or clearly longer than the idle time of the same client's other connections to the
    same service. Until then it is `low`, and `live` does not report it.

    With `--sockets`, and in `live` on this host, nothing is guessed where the kernel knows: a connection with keepalive
    on is not among these, and one with keepalive off is, with its process, once it is silent for longer than
    `--idle-after`: `low` at first, `medium` after 338 s.

    Look at: `ss -tno` on both hosts, which shows whether a keepalive timer runs.

    Enable keepalive on the socket (SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT) on the side that waits
    for data, or close idle connections. Settings for common programs follow; some of them are heartbeats.
    """
    facts, streams = context.facts, context.judged("unprotected")
    off = facts.keepalive_off[streams]
    yield from _known(context, streams[off])
    streams = streams[~off & (facts.tracks.endpoints(PACKETS, streams).sum(axis=1) > ONE_PACKET)]
    shown, late = _is_shown(facts, streams), context.overdue[streams]
    groups = context.by_service(streams[shown & late])
    firsts = context.flows([int(group[0]) for group in groups])
    for silence, flow in zip(_silences(context, groups), firsts, strict=True):
        timing = proposed(silence.safe_idle)
        yield _claim(silence, f" to {flow.server}", f"{ENABLE} {_in_time(facts, flow, timing)}")
    for early, which, remedy in (
        (streams[shown & ~late], ", silent for less than a usual keepalive idle time", EARLY),
        (streams[~shown], " that may be in use", f"{ENABLE} {GENERAL}"),
    ):
        if len(early):
            services = len(context.by_service(early))
            [silence] = _silences(context, [early])
            yield _claim(silence, which, remedy)._replace(
                severity="low",
                confidence="possible",
                tentative=True,
                whom=f"{services} services" if services > 1 else "",
            )


def _known(context: Context, streams: Column) -> Iterator[Claim]:
    """Those of which the kernel says that keepalive is off."""
    groups = context.by_service(streams)
    firsts = context.flows([int(group[0]) for group in groups])
    for silence, flow in zip(_silences(context, groups), firsts, strict=True):
        held = (one for stream in silence.streams for one in context.facts.held[stream])
        sides = {one.side for one in held if one.sighting.keepalive is False}
        whose = f"the {min(sides)}" if len(sides) == 1 else "both sides"
        timing, who = proposed(silence.safe_idle), context.processes(silence.streams)
        holder, count = f", {who}" if who else "", len(silence.streams)
        lasted = f"{duration(silence.longest)} of silence"
        yield _claim(silence, "", f"{ENABLE} {_in_time(context.facts, flow, timing)}")._replace(
            summary=f"{several(count, 'idle connection')} to {flow.server}: keepalive is off on {whose}{holder}; "
            f"{'up to ' * (count > 1)}{lasted}",
            observed=f"a socket without a keepalive timer on {whose}{holder}, and {lasted}",
            source="the kernel's list of sockets (inet_diag): an established socket with SO_KEEPALIVE has a timer",
            # A short silence harms nobody yet, and a pool has many: severe is what lasts as long as elsewhere.
            severity="medium" if silence.longest > USUAL_NS else "low",
            confidence="certain",
        )


def _in_time(facts: Facts, flow: Flow, timing: Timing) -> str:
    return f"With {timing} a dead peer is detected after {timing.total} s. {how_to_set(facts, flow, timing)}"


def _is_shown(facts: Facts, streams: Column) -> Mask:
    """Of which connections more is captured than a fragment: an open connection, silent for longer than ever before.

    Not where one end was never heard, where data is missing, or where the file has no pure ACK at all, as one that a
    filter for a protocol has left.
    """
    flows, endpoints = facts.tracks.flows, facts.tracks.endpoints
    packets = endpoints(PACKETS, streams)
    fragment = (packets == 0).any(axis=1) | (packets.sum(axis=1) < FEWEST_PACKETS)
    holes = (endpoints(KNOWN, streams) & ACKED_UNSEEN != 0).any(axis=1)
    silent = facts.listened(flows[streams, END_TIME])
    acks = bool((flows[:, HANDSHAKE] & SAW_PURE_ACK).any())
    unlike = silent > MISSED_TURNS * flows[streams, LONGEST_GAP]
    return np.asarray(~fragment & ~holes & unlike & acks & ~_is_unwitnessed(facts, streams))


def _is_unwitnessed(facts: Facts, streams: Column) -> Mask:
    """Whether in most of the silence of these no connection at all was seen, in a file of fragments.

    A file put together from pieces of others is silent between them, and so are all connections in it.
    """
    flows = facts.tracks.flows
    pieces = (flows[:, HANDSHAKE] & SAW_SYN == 0) & ~facts.probes.any(axis=1)
    if len(flows) < FEWEST_PIECES or pieces.sum() * 2 <= len(flows):
        return np.zeros(len(streams), bool)
    order = np.argsort(flows[:, FIRST_TIME], kind="stable")
    began, heard = flows[order, FIRST_TIME], np.maximum.accumulate(flows[order, END_TIME])
    pauses = np.append(np.maximum(began[1:] - heard[:-1], 0), 0)
    unseen = np.cumsum(pauses[::-1])[::-1]  # from the beginning of each on
    place = np.searchsorted(began, flows[streams, END_TIME], side="right") - 1
    return np.asarray(unseen[place] * 2 > facts.listened(flows[streams, END_TIME]))


class _Silence(NamedTuple):
    """Connections that were silent together, the longest of their silences, their last moment, their first frames."""

    streams: tuple[int, ...]
    longest: int
    ended: int
    frames: tuple[int, ...]
    safe_idle: int


def _silences(context: Context, groups: list[Column]) -> list[_Silence]:
    """Of each group; in columns, since a large capture has hundreds."""
    if not groups:
        return []
    streams = np.concatenate(groups)
    first = np.cumsum([0, *map(len, groups)])[:-1]
    flows = context.facts.tracks.flows
    longest = np.maximum.reduceat(silences(context.facts, streams), first)
    ended = np.minimum.reduceat(flows[streams, END_TIME], first)
    safe = np.minimum.reduceat(context.safe_idle[streams], first)
    frames, numbers = flows[streams, FIRST_FRAME].tolist(), streams.tolist()
    found = zip(first.tolist(), map(len, groups), longest.tolist(), ended.tolist(), safe.tolist(), strict=True)
    return [
        _Silence(
            tuple(numbers[begin : begin + count]),
            most,
            end,
            tuple(frames[begin : begin + min(count, MAX_FRAMES)]),
            idle,
        )
        for begin, count, most, end, idle in found
    ]


def _claim(silence: _Silence, which: str, remedy: str) -> Claim:
    lasted, count = duration(silence.longest), len(silence.streams)
    return Claim(
        summary=f"{several(count, 'idle connection')}{which}: no keepalive probe in {'up to ' * (count > 1)}"
        f"{lasted} of silence. Keepalive may be off, or its idle time may be longer",
        remedy=remedy,
        frames=silence.frames,
        observed=f"no probe and no heartbeat in {lasted} of silence",
        expected="keepalive probes, heartbeats, or a closed connection",
        source="RFC 9293 3.8.4: keepalive is off unless the application enables it",
        confidence="likely" if silence.longest > LONGEST_DEFAULT_NS else "possible",
        streams=silence.streams,
        at=silence.ended,
    )
