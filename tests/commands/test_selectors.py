"""What a selector may be: networks, ranges, names of services, exclusions, times of day, either spelling of a word."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from commands import as_json, keepalive, streams
from results import ROOT

from analyzer import UsageError
from analyzer.commands.endpoints import SERVICES, parse_ports
from analyzer.commands.moments import parse_time
from analyzer.commands.selection import Selection
from analyzer.commands.words import complete_rule, complete_verdict
from analyzer.model.captures import Span
from analyzer.tcp import SECOND

BOTH_IP, FOUR, CROWD = (
    ROOT / "captures" / name / "capture.pcap" for name in ("any-interface", "refused-and-no-answer", "crowd")
)
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [(["192.0.2.0/24"], [0]), (["192.0.2.8/29"], [0]), (["192.0.2.99/24"], [0]), (["192.0.2.0/29"], []),
     (["2001:db8:c::/48"], [1]), (["2001:db8::/32"], [1]), (["2001:db9::/32"], []), (["::/0"], [1]),
     (["0.0.0.0/0"], [0]), (["0.0.0.0/0", "::/0"], [0, 1]), (["!192.0.2.10"], [1]), (["!0.0.0.0/0"], [1]),
     (["!2001:db8::/32"], [0]), (["192.0.2.0/24", "!192.0.2.10"], []), (["192.0.2.0/24", "!192.0.2.11"], [0]),
     (["!192.0.2.10", "!2001:db8:c::10"], []), (["[2001:db8:c::10]"], [1]), (["::ffff:192.0.2.0/120"], [0])],
)  # fmt: skip
def test_networks_and_exclusions(hosts: list[str], shown: list[int]) -> None:
    assert streams(BOTH_IP, *(word for host in hosts for word in ("--host", host))) == shown


@pytest.mark.parametrize("prefix", range(0, 129, 3))
def test_a_network_holds_the_addresses_that_python_says(prefix: int) -> None:
    network = ipaddress.ip_network(f"2001:db8:c::10/{prefix}", strict=False)
    flows = as_json(BOTH_IP)["flows"]
    ends = [[ipaddress.ip_address(flow[side]["address"]) for side in ("client", "server")] for flow in flows]
    expected = [stream for stream, pair in enumerate(ends) if any(one in network for one in pair)]
    assert streams(BOTH_IP, "--host", str(network)) == expected


@pytest.mark.parametrize(
    ("ports", "shown"),
    [(["7009-7010"], [0, 1]), (["7000-7009"], [0, 2, 3]), (["!7000"], [0, 1]), (["!7000-7009"], [1]),
     (["7000", "!40003"], [3]), (["0-65535"], [0, 1, 2, 3]), (["https"], [])],
)  # fmt: skip
def test_ranges_of_ports_and_exclusions(ports: list[str], shown: list[int]) -> None:
    assert streams(FOUR, *(word for port in ports for word in ("--port", port))) == shown


@pytest.mark.parametrize(
    ("name", "port"),
    [("http", 80), ("HTTPS", 443), ("ssh", 22), ("postgresql", 5432), ("redis", 6379), ("mysql", 3306)],
)
def test_services_are_known_by_name(name: str, port: int) -> None:
    assert parse_ports(name) == (port, port)


def test_a_service_that_only_the_system_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getservbyname", lambda name, protocol: {("odd", "tcp"): 4321}[name, protocol])
    assert "odd" not in SERVICES
    assert parse_ports("odd") == (4321, 4321)


@pytest.mark.parametrize("port", ["65536", "9-8", "1-65536", "-1", "8000-", "no-such-service", "", "!"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(UsageError, match="--port"):
        Selection(ports=[port])


@pytest.mark.parametrize("host", ["10.0.0.0/33", "10.0.0", "example.org", "", "!", "10.0.0.0/x", "2001:db8::/129"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="--host"):
        Selection(hosts=[host])


def at(hour: int, minute: int = 0, second: int = 0, *, day: int = 1) -> int:
    """A moment in nanoseconds, in India."""
    return int(datetime(2026, 3, day, hour, minute, second, tzinfo=INDIA).timestamp()) * SECOND


EVENING = Span(at(22), at(2, day=2))  # crosses midnight
ONE_DAY = Span(at(9), at(17))


@pytest.mark.parametrize(
    ("text", "span", "moment"),
    [("09:31", ONE_DAY, at(9, 31)), ("9:31", ONE_DAY, at(9, 31)), ("09:31:05", ONE_DAY, at(9, 31, 5)),
     ("09:31:05.25", ONE_DAY, at(9, 31, 5) + SECOND // 4), ("08:00", ONE_DAY, at(8)), ("18:00", ONE_DAY, at(18)),
     ("22:30", EVENING, at(22, 30)), ("01:30", EVENING, at(1, 30, day=2)), ("22:00", EVENING, at(22)),
     ("21:59", EVENING, at(21, 59, day=2)),
     ("+30", ONE_DAY, at(9, 0, 30)), ("+30s", ONE_DAY, at(9, 0, 30)), ("+5m", ONE_DAY, at(9, 5)),
     ("+1h", ONE_DAY, at(10)), ("+1h30m", ONE_DAY, at(10, 30)), ("+1d", ONE_DAY, at(9, day=2)),
     ("+1m0.5s", ONE_DAY, at(9, 1) + SECOND // 2)],
)  # fmt: skip
def test_a_time_of_day_and_a_time_from_the_first_packet(text: str, span: Span, moment: int, in_india: None) -> None:
    assert parse_time(text, span) == moment


def test_a_time_of_day_is_in_utc_when_times_are(in_india: None) -> None:
    assert parse_time("04:01", ONE_DAY, utc=True) == at(9, 31)
    # 22:00 in India is 16:30 in UTC: the capture ends on the same day there.
    assert parse_time("01:00", EVENING, utc=True) == at(6, 30)


@pytest.mark.parametrize("text", ["9", "09:3x", "24:00", "09:60", "+5x", "+m", "+1m1h", "++5", "09:31:05.", " 09:31"])
def test_what_is_no_time_is_refused_or_unix_seconds(text: str) -> None:
    if text == "9":
        assert parse_time(text, ONE_DAY) == 9 * SECOND
        return
    with pytest.raises(UsageError, match="not a time"):
        parse_time(text, ONE_DAY)


def test_times_of_day_select_from_a_capture() -> None:
    first = as_json(CROWD)["captures"][0]["first_time"]
    moment = datetime.fromtimestamp(int(first) + 5).astimezone().strftime("%H:%M:%S")
    whole = as_json(CROWD)["flows"]
    assert streams(CROWD, "--end", moment) == [one["stream"] for one in whole if one["start"] <= int(first) + 5]
    assert streams(CROWD, "--start", "+0", "--end", "+1m") == [one["stream"] for one in whole]


@pytest.mark.parametrize(
    ("start", "end"),
    [("+10", "+5"), ("2000", "1000"), ("2026-01-02", "2026-01-01"), ("23:59:59", "00:00:01"), ("23:59", "+1")],
)
def test_a_start_after_the_end_is_wrong_usage(start: str, end: str) -> None:
    run = keepalive("analyze", CROWD, "--start", start, "--end", end)
    assert (run.returncode, run.stdout) == (2, b"")
    assert f"--start {start} is after --end {end}" in run.stderr.decode()


@pytest.mark.parametrize("word", ["dead_peer", "dead-peer", "Dead-Peer", "DEAD_PEER"])
def test_a_verdict_has_either_spelling(word: str) -> None:
    assert streams(CROWD, "--verdict", word) == streams(CROWD, "--port", "7100")


@pytest.mark.parametrize(
    ("option", "word", "says"),
    [("--verdict", "deadpeer", "did you mean 'dead-peer'?"), ("--verdict", "xyzzy", "`keepalive explain verdicts`"),
     ("--rule", "clockstep", "did you mean 'clock-step'?"), ("--ignore", "xyzzy", "`keepalive explain` lists them")],
)  # fmt: skip
def test_one_word_is_suggested_and_the_list_is_named(option: str, word: str, says: str, tmp_path: Path) -> None:
    run = keepalive("analyze", tmp_path / "not-read.pcap", option, word)
    assert run.returncode == 2
    said = run.stderr.decode()
    assert f"{option} {word}: " in said
    assert says in said
    assert "healthy" not in said
    assert ("did you mean" in said) == (word != "xyzzy")


def test_words_are_completed() -> None:
    assert complete_verdict("dead") == ["dead-peer"]
    assert complete_verdict("Dead_") == ["dead-peer"]
    assert complete_rule("clock") == ["clock-step"]
    assert complete_rule("xyzzy") == []
