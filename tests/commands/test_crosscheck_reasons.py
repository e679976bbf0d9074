"""Reasons why Wireshark and we differ that recordings do not show, or seldom."""

from __future__ import annotations

from pathlib import Path

from conversation import CLIENT, SERVER, Conversation
from test_crosscheck import opinions_of

from analyzer import analyze
from analyzer.crosscheck.compare import NOTHING, Opinion, crosscheck_text


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
    text = list(crosscheck_text(told, everything=False))
    assert text[-2:] == ["2 frames that either takes for a probe or an answer: 1 alike, 1 not", "      1  why"]
    assert len([line for line in text if "keep-alive" in line]) == 1
