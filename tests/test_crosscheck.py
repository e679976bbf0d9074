"""Wireshark's opinion beside ours: where both agree, where they do not, and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from commands import inside, keepalive
from results import CAPTURES, ROOT

from analyzer.capture.wireshark import wireshark_flags
from analyzer.crosscheck import UNKNOWN, Opinion, crosscheck
from analyzer.pipeline import analyze


def opinions(name: str) -> list[Opinion]:
    path = str(min((ROOT / "captures" / name).glob("capture.*")))
    return crosscheck(analyze(path, engine="plain").facts, wireshark_flags(path))


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
    flags = wireshark_flags(str(path))
    assert UNKNOWN not in {one.reason for one in crosscheck(analyze(str(path), engine="plain").facts, flags)}


def test_the_command_shows_differences_or_all() -> None:
    capture = ROOT / "captures/dead-peer/capture.pcap"
    short, long = inside("crosscheck", capture), inside("crosscheck", capture, "--all")
    assert short == "4 frames that either takes for a probe or an answer: 4 alike, 0 not\n"
    assert long.count("keep-alive") == 8
    assert long.endswith(short)


def test_what_cannot_be_read_twice_is_refused() -> None:
    assert keepalive("crosscheck", "-").returncode == 2
    assert keepalive("crosscheck", ROOT / "captures").returncode == 2


def test_without_tshark_it_says_what_to_install() -> None:
    run = keepalive("crosscheck", ROOT / "captures/dead-peer/capture.pcap", variables={"PATH": "/nonexistent"})
    assert run.returncode == 2
    assert b"apt install tshark" in run.stderr
