"""Timers over time: when they fired, what came of it, and that the probes on the wire were sent then."""

from __future__ import annotations

import contextlib
import io
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_network import CLIENT, Hosts, talking, two_hosts
from socket_kinds import Near, all_kinds

import analyzer
from analyzer.host import take_snapshot
from analyzer.host.sampling import looks, pause_between, sample
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Course, Sample, Socket, Timer
from analyzer.report.charts.saw_tooth import saw_tooth
from analyzer.report.charts.style import write_figure
from analyzer.tcp import SECOND, State

SOCKET = Socket(Endpoint("192.0.2.1", 40_000), Endpoint("192.0.2.2", 80), State.ESTABLISHED, Timer.KEEPALIVE, 15.0)


def course(*rows: tuple[float, Timer, float | None, int, float | None]) -> Course:
    return Course(SOCKET, [Sample(*row) for row in rows])


KEEPALIVE, RETRANSMIT = Timer.KEEPALIVE, Timer.RETRANSMIT


@pytest.mark.parametrize(
    ("rows", "fired"),
    [
        # A probe and its reply; one without; traffic since, so that the kernel waits for the rest alone.
        ([(0, KEEPALIVE, 0.5, 0, 14.5), (1, KEEPALIVE, 14.5, 0, 0.5)], [(0.5, True)]),
        ([(0, KEEPALIVE, 0.5, 0, 14.5), (1, KEEPALIVE, 4.5, 1, 15.5)], [(0.5, False)]),
        ([(0, KEEPALIVE, 0.5, 0, 2.5), (1, KEEPALIVE, 11.5, 0, 3.5)], [(0.5, None)]),
        # Set anew long before it was over: another idle time was set.
        ([(0, KEEPALIVE, 9.5, 0, 5.0), (1, KEEPALIVE, 59.5, 0, 6.0)], []),
        ([(0, KEEPALIVE, 9.5, 0, 5.0), (1, KEEPALIVE, 8.5, 0, 6.0)], []),
        ([(0, KEEPALIVE, 0.5, 0, 5.0), (1, RETRANSMIT, 0.2, 0, 6.0)], []),
    ],
)
def test_when_a_timer_fired_is_known_from_two_looks(
    rows: list[tuple[float, Timer, float | None, int, float | None]], fired: list[tuple[float, bool | None]]
) -> None:
    assert [tuple(one) for one in course(*rows).firings] == fired


def test_looks_come_at_an_even_pace_and_end() -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.3
        return now[0]

    assert 3 <= len(list(looks(2, clock=clock))) <= 4
    assert (pause_between(3), pause_between(300), pause_between(30_000)) == (0.1, 0.5, 1.0)


@contextlib.contextmanager
def recording(hosts: Hosts, path: Path) -> Iterator[None]:
    """A capture of the client's interface, in this block."""
    command = ["ip", "netns", "exec", hosts.client, "tcpdump", "-U", "-i", hosts.interface, "-w", str(path), "tcp"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        process.stderr.readline()  # it listens
        yield
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def test_firings_are_the_probes_on_the_wire(tmp_path: Path) -> None:
    """Within what passes between two looks."""
    path = tmp_path / "wire.pcap"
    with two_hosts() as hosts, recording(hosts, path), talking(hosts, (2, 1, 3)):

        def take() -> tuple[float, list[Socket]]:
            snapshot = take_snapshot(hosts.client, owners=False)
            return snapshot.time, [one for one in snapshot.sockets if one.local.address == CLIENT]

        [found] = sample(take, 7)
        time.sleep(0.2)
    [flow] = analyzer.analyze(str(path)).flows
    [entry] = flow.keepalive
    probes = [probe.time / SECOND for gap in entry.episodes for probe in gap.probes]
    fired = [one.time for one in found.firings if one.answered]
    assert len(fired) >= 2
    for moment in fired:
        assert min(abs(moment - probe) for probe in probes) < 0.25
    assert saw_tooth([found], utc=True).axes


def test_every_timer_has_its_lane_and_the_picture_is_the_same_each_time() -> None:
    rows = [(float(at), KEEPALIVE, 15.0 - at % 15, 0, float(at % 15)) for at in range(60)]
    other = [(float(at), RETRANSMIT if at > 20 else Timer.NONE, 0.2, at // 10, None) for at in range(60)]
    pictures = []
    for _ in range(2):
        out = io.BytesIO()
        write_figure(saw_tooth([course(*rows), course(*other)], utc=True), out, "svg")
        pictures.append(out.getvalue())
    assert pictures[0] == pictures[1]
    text = pictures[0].decode()
    for words in ("Keepalive timers counting down", "probe, answered", "data waits for its acknowledgement"):
        assert words in text
    assert len(saw_tooth([course(*rows)] * 12, utc=True).axes) == 8
    assert saw_tooth([], utc=True).axes


def test_sockets_that_vanish_end_their_course() -> None:
    with two_hosts() as hosts:
        with all_kinds(hosts) as near:
            assert isinstance(near, Near)
            first = take_snapshot(hosts.client).sockets
        last = take_snapshot(hosts.client).sockets
    looks_at = iter([(1.0, first), (2.0, last), (3.0, [])])
    found = sample(lambda: next(looks_at, (4.0, [])), 0.15)
    assert max(len(one.samples) for one in found) <= 2
