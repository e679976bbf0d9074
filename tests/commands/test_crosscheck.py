"""Wireshark's opinion beside ours: where both agree, where they do not, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from commands import inside, keepalive
from conversation import CLIENT, SERVER, Conversation
from results import CAPTURES, ROOT, recorded
from samples import LONG
from wirebytes import pcap_bytes
from wireshark import flagged

from analyzer import Analysis
from analyzer.crosscheck.compare import UNKNOWN, Opinion, crosscheck
from analyzer.crosscheck.tshark import wireshark_flags
from analyzer.pipeline.run import analyze


def opinions(name: str) -> list[Opinion]:
    return opinions_of(recorded(recording(name)), recording(name))


def recording(name: str) -> Path:
    return min((ROOT / "captures" / name).glob("capture.*"))


def opinions_of(analysis: Analysis, path: Path) -> list[Opinion]:
    assert analysis.again is not None
    return crosscheck(analysis.facts, flagged(path), analysis.again)


def counts(name: str) -> Counter[tuple[str, str]]:
    return Counter((one.wireshark, one.ours) for one in opinions(name))


@pytest.mark.parametrize("name", ["dead-peer", "both-ends-probing", "fin-wait-2"])
def test_both_agree_where_all_is_plain(name: str) -> None:
    found = opinions(name)
    assert found
    assert all(one.wireshark == one.ours and not one.reason for one in found)


def test_wireshark_finds_no_probe_where_the_capture_begins_in_an_idle_connection() -> None:
    found = counts("mid-connection")
    assert set(found) == {("-", "keep-alive"), ("-", "keep-alive ACK")}
    assert {one.reason for one in opinions("mid-connection") if one.ours == "keep-alive"} == {
        "the capture begins in an idle connection: Wireshark has no number to compare with"
    }


def test_wireshark_takes_probes_of_a_closed_window_for_keepalives() -> None:
    assert counts("zero-window")["keep-alive", "zero-window probe"] == 5


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.parent.name)
def test_every_difference_has_a_reason(path: Path) -> None:
    assert UNKNOWN not in {one.reason for one in opinions_of(recorded(path), path)}


# Starting tshark takes most of a test: in the short form those whose flags differ in kind.
DIFFERENT_FLAGS = ("both-ends-probing", "gre", "link-down", "mid-connection", "one-octet", "zero-window")
THROUGH_PYSHARK = CAPTURES if LONG else [recording(name) for name in DIFFERENT_FLAGS]


@pytest.mark.parametrize("path", THROUGH_PYSHARK, ids=lambda path: path.parent.name)
def test_pyshark_brings_what_wireshark_says(path: Path) -> None:
    assert wireshark_flags(str(path)) == flagged(path)


def test_the_command_shows_differences_or_all() -> None:
    capture = ROOT / "captures/dead-peer/capture.pcap"
    short, long = inside("crosscheck", capture), inside("crosscheck", capture, "--all")
    assert short == "4 frames flagged by Wireshark or keepalive: 4 agree, 0 differ\n"
    assert long.count("keep-alive") == 8
    assert long.endswith(short)


def test_what_cannot_be_read_twice_is_refused() -> None:
    assert keepalive("crosscheck", "-").returncode == 2
    assert keepalive("crosscheck", ROOT / "captures").returncode == 2


def test_without_tshark_it_says_what_to_install() -> None:
    run = keepalive("crosscheck", ROOT / "captures/dead-peer/capture.pcap", variables={"PATH": "/nonexistent"})
    assert run.returncode == 2
    assert b"apt install tshark" in run.stderr


def reasons(tmp_path: Path, *talks: Conversation) -> dict[int, str]:
    """By frame, of those on which the two differ."""
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_bytes([segment for talk in talks for segment in talk.segments], nanoseconds=True))
    return {one.frame: one.reason for one in opinions_of(analyze(str(path), engine="plain"), path) if one.reason}


SHAPES: list[dict[str, bool]] = [{}, {"v6": True}, {"timestamps": False}]


@pytest.mark.parametrize("shape", SHAPES, ids=["ipv4", "ipv6", "without timestamps"])
def test_a_second_copy_is_called_one_from_the_first_packet_on(tmp_path: Path, shape: dict[str, bool]) -> None:
    talk = Conversation(**shape)  # type: ignore[arg-type]
    talk.probe(CLIENT, octets=1, copies=2).idle(30).probe(CLIENT, octets=1, copies=2)
    said = reasons(tmp_path, talk)
    assert said[2] == said[5] == "the second copy of a packet"


def test_copies_may_have_other_connections_between_them(tmp_path: Path) -> None:
    talk = Conversation(rtt=0.05).handshake().data(CLIENT, 30).data(SERVER, 30).idle(20).probe(CLIENT, copies=2)
    others = [Conversation(ports=(41_000 + i, 80), start=20.15 + i / 10_000).handshake() for i in range(60)]
    said = reasons(tmp_path, talk, *others)
    assert "the second copy of a packet" in said.values()


@pytest.mark.parametrize("shape", SHAPES, ids=["ipv4", "ipv6", "without timestamps"])
def test_an_empty_segment_right_behind_a_keystroke_has_nothing_to_do_with_a_later_fin(
    tmp_path: Path, shape: dict[str, bool]
) -> None:
    talk = Conversation(**shape).handshake().idle(1)  # type: ignore[arg-type]
    seen = []
    for _ in range(2):
        talk.data(CLIENT, 1, acked=False)
        seen.append(talk.send(CLIENT, "A", seq=talk.sides[CLIENT].nxt - 1, in_window=False))
        talk.idle(0.1).data(SERVER, 1).idle(0.4)
    talk.idle(2).fin(CLIENT).fin(SERVER)
    said = reasons(tmp_path, talk)
    assert [said[segment.frame] for segment in seen] == [
        "right behind the data that has its number: sooner than a keepalive timer fires"
    ] * 2


def test_an_ack_with_the_number_of_a_fin_before_it_says_so(tmp_path: Path) -> None:
    talk = Conversation().handshake().data(CLIENT, 20).data(SERVER, 30).idle(2).fin(CLIENT)
    late = talk.idle(0.01).send(CLIENT, "A", seq=talk.sides[CLIENT].nxt - 1, in_window=False)
    said = reasons(tmp_path, talk)
    assert said[late.frame] == "an ACK with the number of the FIN: overtaken by it, or sent again"


def test_a_byte_sent_again_is_told_from_one_that_had_been_acknowledged(tmp_path: Path) -> None:
    talk = Conversation().handshake().data(CLIENT, 20).data(SERVER, 30).idle(2)
    talk.data(CLIENT, 1, arrives=False, captured=True).idle(0.3).resend(CLIENT)
    lost = talk.sides[CLIENT].last
    talk.data(SERVER, 5).idle(2).data(CLIENT, 1).idle(0.2).resend(CLIENT, acked=False, captured=True)
    said = reasons(tmp_path, talk)
    assert lost is not None
    assert "one byte that was not acknowledged yet: sent again" in said.values()
    assert "one byte that was acknowledged just now: sent again before the acknowledgement came" in said.values()
