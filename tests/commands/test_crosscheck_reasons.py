"""Reasons why Wireshark and we differ that recordings do not show, or seldom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from test_crosscheck import opinions_of

from analyzer import analyze
from analyzer.commands.crosscheck import crosscheck_text
from analyzer.crosscheck.compare import (
    ANSWERED,
    NOTHING,
    PROBE,
    UNKNOWN,
    WINDOW_ANSWERED,
    WINDOW_PROBE,
    Opinion,
    _Ours,
    _reason,
)
from analyzer.crosscheck.neighbours import Before
from analyzer.model.findings import Flagged
from analyzer.tcp import SECOND

NO_FACTS: Any = None  # none are asked for


def differing(talk: Conversation, tmp_path: Path) -> list[tuple[str, str, str]]:
    path = tmp_path / "capture.pcap"
    path.write_bytes(talk.pcap())
    return [
        (one.wireshark, one.ours, one.reason)
        for one in opinions_of(analyze(str(path), engine="plain"), path)
        if one.reason
    ]


def exchange() -> Conversation:
    return Conversation().handshake().data(CLIENT, 100).data(SERVER, 300).idle(15)


def test_a_second_acknowledgement_of_a_probe(tmp_path: Path) -> None:
    talk = exchange().probe(CLIENT).idle(0.2)
    talk.acknowledge(SERVER)
    assert differing(talk, tmp_path) == [
        ("keep-alive ACK", NOTHING, "a second acknowledgement: the first one answers the probe")
    ]


def test_differences_are_counted_by_reason() -> None:
    told = [Opinion(1, 0, NOTHING, "keep-alive", "why"), Opinion(2, 0, "keep-alive", "keep-alive", "")]
    text = list(crosscheck_text(told, 100, everything=False))
    assert text[-2:] == ["2 frames flagged by Wireshark or keepalive: 1 agree, 1 differ", "      1  why"]
    assert len([line for line in text if "keep-alive" in line]) == 1


def flagged(says: str, frame: int = 9, length: int = 0, since_last_s: float = 15.0) -> Flagged:
    return Flagged(frame, 0, says, length, since_last_s)


@pytest.mark.parametrize(
    ("other", "before", "reason"),
    [
        (flagged(ANSWERED), Before(), "acknowledges what is no probe"),
        (flagged(PROBE, length=1), Before(), "one byte that was not sent before"),
        (flagged(PROBE, length=1), Before(took_number=SECOND), "one byte that was not acknowledged yet"),
        (flagged(PROBE, length=1), Before(took_number=SECOND, acknowledged=True), "acknowledged just now"),
        (flagged(PROBE), Before(took_number=20 * SECOND, by_fin=True), "an ACK with the number of the FIN"),
        (flagged(PROBE), Before(took_number=SECOND // 2), "right behind the data that has its number"),
        (flagged(PROBE, since_last_s=0.2), Before(), "an ACK out of order"),
        (flagged(PROBE), Before(), UNKNOWN),
        (flagged(PROBE), Before(copy=True), "the second copy of a packet"),
    ],
)
def test_what_wireshark_alone_takes_for_a_probe(other: Flagged, before: Before, reason: str) -> None:
    assert reason in _reason(NO_FACTS, None, other, before, {}, {})


@pytest.mark.parametrize(
    ("says", "other", "probe", "reason"),
    [
        (ANSWERED, flagged(WINDOW_ANSWERED), flagged(PROBE, 8), "the two take for another kind"),
        (ANSWERED, flagged(PROBE), flagged(PROBE, 8), "acknowledges a probe of its peer"),
        (ANSWERED, None, None, "does not know the probe"),
        (WINDOW_ANSWERED, None, flagged(PROBE, 8), "says that the window is open or closed"),
        (ANSWERED, None, flagged(PROBE, 8), "only what follows the probe at once"),
    ],
)
def test_what_we_alone_take_for_an_answer(says: str, other: Flagged | None, probe: Flagged | None, reason: str) -> None:
    theirs = {8: probe} if probe else {}
    assert reason in _reason(NO_FACTS, _Ours(0, says, 0, 8), other, Before(), {}, theirs)


def test_a_probe_of_ours_in_another_form() -> None:
    window = _reason(NO_FACTS, _Ours(0, WINDOW_PROBE, 0, 0), flagged(PROBE), Before(), {}, {})
    assert "at doubling intervals" in window
    assert "the pace of a keepalive timer" in _reason(
        NO_FACTS, _Ours(0, PROBE, 0, 0), flagged(WINDOW_PROBE), Before(), {}, {}
    )
