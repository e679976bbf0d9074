"""The queries that come with the program: each answer, of a made-up fleet, is what is true of that fleet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest
from fleet_kinds import KINDS, SECOND
from fleet_truth import Fleet, Known
from synthetic_fleet import write_fleet

from analyzer.fleet.asking import ask, named_queries
from analyzer.fleet.scan import scan
from analyzer.fleet.work import Here

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VERDICTS = {
    "heartbeat": "healthy",
    "close_wait": "close_wait_leak",
    "device_reset_probe": "middlebox_reset",
    "device_reset_timer": "middlebox_reset",
    "device_drop": "middlebox_drop",
}
BAD = ("dead_peer", "lost_state", "middlebox_reset", "middlebox_drop")
NEVER_MADE = ("refused", "no_answer")
Row = tuple[Any, ...]


class Scanned(NamedTuple):
    """A fleet's truth, and where the results of a scan of its captures are."""

    fleet: Fleet
    out: str

    def of(self, *verdicts: str) -> list[Known]:
        return [one for one in self.fleet.connections if verdict(one) in verdicts]

    def answer(self, question: str) -> list[dict[str, Any]]:
        columns, rows = ask(self.out, question)
        return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """A fleet of twenty hosts with ten files each."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet = write_fleet(folder / "captures")
    out = str(folder / "out")
    scan([str(folder / "captures")], out, Here())
    return Scanned(fleet, out)


def verdict(one: Known) -> str:
    """What the contract calls it."""
    return VERDICTS.get(one.kind, one.kind)


def moment(time: int) -> datetime:
    """A time as tables have it: to the microsecond."""
    return EPOCH + timedelta(microseconds=time // 1000)


def seconds(span: float) -> float:
    """Nanoseconds as answers have them."""
    return round(span / SECOND, 1)


def grouped(connections: Iterable[Known], key: Callable[[Known], Row]) -> dict[Row, list[Known]]:
    """Connections by a key."""
    groups = defaultdict(list)
    for one in connections:
        groups[key(one)].append(one)
    return groups


def by_server(connections: Iterable[Known]) -> dict[Row, list[Known]]:
    """Connections by address and port of their server."""
    return grouped(connections, lambda one: one.server)


def clients(connections: Iterable[Known]) -> int:
    """How many addresses they come from."""
    return len({one.client[0] for one in connections})


def rows(answer: Iterable[dict[str, Any]]) -> list[Row]:
    """In an order that does not depend on that of the answer; the tests of order are others."""
    return sorted((tuple(row.values()) for row in answer), key=repr)


def expected(some: Iterable[Row]) -> list[Row]:
    """The same of what should be there."""
    return sorted(some, key=repr)


# -- the fleet


def test_every_connection_has_the_verdict_the_host_and_the_times_that_are_true(scanned: Scanned) -> None:
    columns = 'client_address, client_port, server_address, server_port, verdict, host, start, "end"'
    found = ask(scanned.out, f"SELECT {columns} FROM flows").rows
    true = [
        (*one.client, *one.server, verdict(one), one.hosts[0], moment(one.start), moment(one.end))
        for one in scanned.fleet.connections
    ]
    assert expected(found) == expected(true)


def test_the_fleet_is_the_same_every_time_and_a_third_of_it_spans_files(tmp_path: Path, scanned: Scanned) -> None:
    fleet = scanned.fleet
    assert write_fleet(tmp_path) == fleet
    assert len(fleet.files) == 199  # one is missing
    assert 3 * sum(one.files > 1 for one in fleet.connections) >= len(fleet.connections)
    assert {one.kind for one in fleet.connections} == set(KINDS)
    assert any(len(one.hosts) == 2 for one in fleet.connections)


# -- the queries


def test_ten_queries_say_in_their_first_line_what_they_answer() -> None:
    queries = named_queries()
    assert len(queries) == 10
    for one in queries.values():
        assert one.sql.startswith(f"-- {one.answers}\n")
        assert 20 < len(one.answers) <= 117


def test_lost_peers(scanned: Scanned) -> None:
    dead = grouped(scanned.of("dead_peer"), lambda one: (*one.server, one.prober))
    answer = scanned.answer("lost-peers")
    assert rows(answer) == expected(
        (*key, len(some), clients(some), moment(min(one.end for one in some)), moment(max(one.end for one in some)))
        for key, some in dead.items()
    )
    assert answer[0]["server_address"] == "198.51.100.20"
    assert answer[0]["connections"] == 20


def test_lost_when(scanned: Scanned) -> None:
    lost = grouped(
        scanned.of(*BAD), lambda one: (moment(one.end).replace(second=0, microsecond=0), *one.server, verdict(one))
    )
    answer = scanned.answer("lost-when")
    assert rows(answer) == expected((*key, len(some)) for key, some in lost.items())
    assert all(sooner["minute"] <= later["minute"] for sooner, later in pairwise(answer))


def test_forgetful_devices(scanned: Scanned) -> None:
    true = []
    for server, some in by_server(scanned.of("middlebox_reset", "middlebox_drop")).items():
        fine = [one for one in scanned.fleet.connections if one.server == server and one not in some]
        survived, fatal = max(one.silence for one in fine), min(one.silence for one in some)
        kinds = Counter(map(verdict, some))
        counts = (clients(some), kinds["middlebox_reset"], kinds["middlebox_drop"])
        true.append((*server, *counts, seconds(survived), seconds(fatal)))
    assert rows(scanned.answer("forgetful-devices")) == expected(true)
    assert [row[-1] for row in true] == [350.0]


def test_keepalive_settings(scanned: Scanned) -> None:
    """A single probe shows bounds of the idle time alone: Linux's timers fire up to an eighth late."""

    def shown(one: Known) -> Row:
        idle = None if one.kind == "device_reset_probe" or one.settings is None else float(one.settings[0])
        return ((one.client if one.prober == "client" else one.server)[0], idle)

    true = []
    for key, some in grouped((one for one in scanned.fleet.connections if one.settings), shown).items():
        given_up = {one.settings for one in some if one.kind == "dead_peer" and one.settings}
        intervals, counts = (", ".join(str(one[place]) for one in sorted(given_up)) or None for place in (1, 2))
        true.append((*key, intervals, counts, len(some)))
    assert rows(scanned.answer("keepalive-settings")) == expected(true)


def test_never_probed(scanned: Scanned) -> None:
    until = moment(max(one.end for one in scanned.fleet.connections))
    true = []
    for server, some in by_server(scanned.of("unprotected")).items():
        silent = [round((until - moment(one.end)).total_seconds(), 1) for one in some]
        true.append((*server, len(some), clients(some), min(silent), max(silent)))
    answer = scanned.answer("never-probed")
    assert rows(answer) == expected(true)
    assert min(row["shortest_silence_s"] for row in answer) > 3600


def test_close_wait(scanned: Scanned) -> None:
    """Clients outside close on their hosts, the service closes on its clients: who does not is the other."""

    def holder(one: Known) -> Row:
        return ((one.client if one.leaks == "client" else one.server)[0], one.leaks, *one.server)

    true = [
        (*key, len(some), moment(min(one.end for one in some)))
        for key, some in grouped(scanned.of("close_wait_leak"), holder).items()
    ]
    assert rows(scanned.answer("close-wait")) == expected(true)


def test_who_forgot(scanned: Scanned) -> None:
    true = [
        (
            *server,
            len(some),
            len({one.hosts[0] for one in some}),
            moment(min(one.end for one in some)),
            moment(max(one.end for one in some)),
        )
        for server, some in by_server(scanned.of("lost_state")).items()
    ]
    assert rows(scanned.answer("who-forgot")) == expected(true)


def test_detection_time(scanned: Scanned) -> None:
    true = []
    for settings, some in grouped(scanned.of("dead_peer"), lambda one: one.settings or ()).items():
        took = [one.end - (one.received or 0) for one in some]
        spans = (seconds(min(took)), seconds(median(took)), seconds(max(took)))
        true.append((*map(float, settings), len(some), *spans))
        idle, interval, count = settings
        assert spans[0] >= idle + interval * count
    assert rows(scanned.answer("detection-time")) == expected(true)


def test_captures_by_host(scanned: Scanned) -> None:
    true = []
    for host in sorted({file.host for file in scanned.fleet.files}):
        files = [file for file in scanned.fleet.files if file.host == host]
        pause, began = max(
            (later.first // 1000 - sooner.last // 1000, sooner.last) for sooner, later in pairwise(files)
        )
        true.append(
            (
                host,
                len(files),
                sum(file.packets for file in files),
                sum(file.cut_short for file in files),
                round(pause / 1e6, 1),
                moment(began),
                sum(file.shared for file in files),
                files[0].ahead_s,
            )
        )
    assert [tuple(row.values()) for row in scanned.answer("captures-by-host")] == true
    assert [row[0] for row in true if row[-1]] == ["app-04"]
    assert [row[0] for row in true if row[3]] == ["app-06"]
    assert [row[0] for row in true if row[4] > 600] == ["app-08"]


def test_worst_hosts(scanned: Scanned) -> None:
    """Every attempt at some services failed: that is severe, too."""
    true = []
    for (host,), some in grouped(scanned.fleet.connections, lambda one: one.hosts[:1]).items():
        count = Counter(map(verdict, some))
        parts = [sum(count[word] for word in words) for words in (BAD[:1], BAD[2:], BAD[1:2], NEVER_MADE)]
        if any(parts):
            true.append((host, len(some), sum(parts), *parts))
    answer = scanned.answer("worst-hosts")
    assert rows(answer) == expected(true)
    assert all(sooner["in_high_findings"] >= later["in_high_findings"] for sooner, later in pairwise(answer))
