"""Wireshark's opinion of each probe and answer beside ours, with the reason where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.crosscheck.neighbours import Before, look_before
from analyzer.model.columns import Facts
from analyzer.model.findings import Flagged
from analyzer.model.second_reading import SecondReading
from analyzer.model.words import ProbeKind
from analyzer.tables.fields import (
    ANSWER,
    ANSWER_ACK,
    ANSWER_FRAME,
    ENDPOINT_SIZE,
    FINGERPRINT,
    HEAD_SIZE,
    ONE_OCTET,
    OPTIONS_SEEN,
    PROBE_FRAME,
    PROBE_MARKS,
)
from analyzer.tcp import OPTIONS_CUT, SECOND, SHORTEST_TIMER_NS

PROBE, ANSWERED = "keep-alive", "keep-alive ACK"
WINDOW_PROBE, WINDOW_ANSWERED = "zero-window probe", "zero-window probe ACK"
NOTHING = "-"
UNKNOWN = "no reason found"


class Opinion(NamedTuple):
    """A frame, and what Wireshark and we say of it; `reason` is empty where that is the same."""

    frame: int
    stream: int
    wireshark: str
    ours: str
    reason: str


class _Ours(NamedTuple):
    """What we say of a frame, and of the probe that it is or answers."""

    stream: int
    says: str
    probe: int  # its row in the log
    answers: int  # frame of the probe


def crosscheck(facts: Facts, flagged: Sequence[Flagged], again: SecondReading) -> list[Opinion]:
    """Every frame that either takes for a probe, or for an answer to one, in order; `again` reads it a second time."""
    ours, theirs = _our_words(facts), {one.frame: one for one in flagged}
    before = look_before(again, len(facts), ours.keys() | theirs.keys())
    opinions = []
    for frame, around in sorted(before.items()):
        mine, other = ours.get(frame), theirs.get(frame)
        said = NOTHING if other is None else other.says
        says = NOTHING if mine is None else mine.says
        reason = "" if said == says else _reason(facts, mine, other, around, ours, theirs)
        stream = mine.stream if mine is not None else other.stream if other is not None else -1
        opinions.append(Opinion(frame, stream, said, says, reason))
    return opinions


def _our_words(facts: Facts) -> dict[int, _Ours]:
    log, who, words = facts.tracks.probes, facts.prober, {}
    for row in np.flatnonzero(facts.probe_kind != ProbeKind.NOT_A_PROBE).tolist():
        is_window = facts.probe_kind[row] == ProbeKind.ZERO_WINDOW
        frame, stream = int(log[row, PROBE_FRAME]), int(who[row]) >> 1
        words[frame] = _Ours(stream, WINDOW_PROBE if is_window else PROBE, row, 0)
        # Data that answers, and an RST, say something of their own: Wireshark has no flag for that.
        if log[row, PROBE_MARKS] & ANSWER == ANSWER_ACK:
            answer = WINDOW_ANSWERED if is_window else ANSWERED
            words.setdefault(int(log[row, ANSWER_FRAME]), _Ours(stream, answer, row, frame))
    return words


def _reason(
    facts: Facts,
    mine: _Ours | None,
    other: Flagged | None,
    before: Before,
    ours: dict[int, _Ours],
    theirs: dict[int, Flagged],
) -> str:
    if before.copy:
        return "the second copy of a packet"
    if mine is None:
        assert other is not None
        return _only_theirs(other, before, ours, theirs)
    if mine.answers:
        return _of_an_answer(mine, other, theirs)
    if mine.says == WINDOW_PROBE:
        return "probes a closed window, at doubling intervals: the same segment, another timer"
    if other is not None:
        return "keeps the pace of a keepalive timer, not of one that probes a window"
    return _unseen_by_wireshark(facts, mine, before)


def _unseen_by_wireshark(facts: Facts, mine: _Ours, before: Before) -> str:
    """Why Wireshark has no flag on a probe."""
    log = facts.tracks.probes
    side = int(facts.prober[mine.probe]) & 1
    x = HEAD_SIZE + side * ENDPOINT_SIZE
    head = facts.tracks.flows[mine.stream]
    if head[x + FINGERPRINT] >> OPTIONS_SEEN & OPTIONS_CUT:
        return "the capture cuts the TCP header short: Wireshark then compares no numbers"
    if before.by_fin:
        return "sent after its FIN, whose number it has"
    if before.first:
        return "the capture begins in an idle connection: Wireshark has no number to compare with"
    if log[mine.probe, PROBE_MARKS] & ONE_OCTET:
        return "one byte that was acknowledged before: Wireshark takes it for a retransmission"
    return UNKNOWN


def _of_an_answer(mine: _Ours, other: Flagged | None, theirs: dict[int, Flagged]) -> str:
    if other is not None and other.says in (ANSWERED, WINDOW_ANSWERED):
        return "answers a probe that the two take for another kind"
    probe = theirs.get(mine.answers)
    if other is not None:
        return "acknowledges a probe of its peer; its own number is no reason to take it for one"
    if probe is None or probe.says not in (PROBE, WINDOW_PROBE):
        return "Wireshark does not know the probe that it answers"
    if mine.says == WINDOW_ANSWERED:
        return "answers a probe that Wireshark takes for a keep-alive, and says that the window is open or closed"
    return "Wireshark takes for the answer only what follows the probe at once, with the same window"


def _only_theirs(other: Flagged, before: Before, ours: dict[int, _Ours], theirs: dict[int, Flagged]) -> str:
    """Why we do not say what Wireshark says of a frame."""
    if other.says in (ANSWERED, WINDOW_ANSWERED):
        earlier = [frame for frame, one in theirs.items() if one.stream == other.stream and frame < other.frame]
        probe = max((frame for frame in earlier if theirs[frame].says in (PROBE, WINDOW_PROBE)), default=0)
        if probe not in ours:
            return "acknowledges what is no probe"
        return "a second acknowledgement: the first one answers the probe"
    if other.length:
        if before.took_number is None:
            return "one byte that was not sent before: data, not a probe"
        if not before.acknowledged:
            return "one byte that was not acknowledged yet: sent again"
        return "one byte that was acknowledged just now: sent again before the acknowledgement came"
    if before.by_fin:
        return "an ACK with the number of the FIN: overtaken by it, or sent again"
    if before.took_number is not None and before.took_number < SHORTEST_TIMER_NS:
        return "right behind the data that has its number: sooner than a keepalive timer fires"
    if other.since_last_s < SHORTEST_TIMER_NS / SECOND:
        return "sooner than a keepalive timer fires: an ACK out of order"
    return UNKNOWN
