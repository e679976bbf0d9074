"""Real sockets of every kind beside `ss`: states, timers to 50 ms, owners, options, and those that leak."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from live_network import Hosts, two_hosts
from socket_kinds import PORT, SERVER, Near, all_kinds

from analyzer.diagnose.sockets import find_suspects
from analyzer.errors import UsageError
from analyzer.host import Snapshot, procfs, take_snapshot
from analyzer.host.namespaces import entered, find_namespaces
from analyzer.host.ss import read_ss
from analyzer.model.sockets import Socket, Timer
from analyzer.tcp import State

APART_S = 0.05


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with two_hosts() as both:
        yield both


@pytest.fixture(scope="module")
def near(hosts: Hosts) -> Iterator[Near]:
    """Sockets of all kinds, the far host gone for those that wait for it, and its keepalive probes unanswered."""
    with all_kinds(hosts) as kinds:
        time.sleep(1)
        yield kinds


@pytest.fixture(scope="module")
def gone(hosts: Hosts, near: Near) -> Iterator[Near]:
    """The same once the far host has vanished, and data and probes wait for it."""
    take_snapshot(hosts.client)
    hosts.vanish()
    near.send()
    time.sleep(9.5)
    yield near


def of(snapshot: Snapshot, near: Near) -> dict[str, Socket]:
    """By kind, those of the process."""
    by_port = {one.local.port: one for one in snapshot.sockets if one.peer.port == PORT}
    return {kind: by_port[port] for kind, port in near.ports.items() if port in by_port}


def told_by_ss(hosts: Hosts) -> list[Socket]:
    done = subprocess.run(["ip", "netns", "exec", hosts.client, "ss", "-tnoieap"], capture_output=True, check=True)
    return read_ss(done.stdout.decode())


def test_states_and_timers(hosts: Hosts, near: Near) -> None:
    kinds = of(take_snapshot(hosts.client), near)
    states = {kind: one.state for kind, one in kinds.items()}
    assert states["a"] is states["b"] is states["p"] is State.ESTABLISHED
    assert states["c"] is State.CLOSE_WAIT
    assert states["f"] is State.FIN_WAIT_2
    assert {kind: kinds[kind].timer for kind in "abp"} == {"a": Timer.KEEPALIVE, "b": Timer.NONE, "p": Timer.PERSIST}
    assert [kinds[kind].keepalive for kind in "abp"] == [True, False, None]
    assert 7 < (kinds["a"].timer_left or 0) <= 9.3
    assert kinds["p"].send_queue > 0
    assert kinds["b"].peer.address == SERVER
    assert kinds["b"].netns == hosts.client


def test_owners_are_right(hosts: Hosts, near: Near) -> None:
    for kind, one in of(take_snapshot(hosts.client), near).items():
        [owner] = one.owners
        assert (owner.process.pid, owner.fd) == (near.process.pid, near.fds[kind])
        assert owner.process.runtime.startswith("python3")
        assert owner.process.user == "root"
        assert time.time() - 600 < (owner.process.since or 0) < time.time()


def test_options_are_those_that_were_set(hosts: Hosts, near: Near) -> None:
    kinds = of(take_snapshot(hosts.client, options=True), near)
    options = kinds["a"].options
    assert options is not None
    assert (options.keepalive, options.idle, options.interval, options.probes) == (True, 9, 5, 3)
    assert [kinds[kind].keepalive for kind in "bp"] == [False, False]


def runs_on(first: Socket, last: Socket) -> bool:
    """Whether one timer runs in both looks, and was not set anew between them."""
    same = first.timer is last.timer and first.unanswered == last.unanswered
    return same and (last.timer_left or 0) <= (first.timer_left or 0)


def agree(hosts: Hosts, near: Near) -> dict[str, Timer]:
    """The timers that run, each seen as left as `ss` sees it, between two looks of our own."""
    before, other, after = (
        of(take_snapshot(hosts.client), near),
        told_by_ss(hosts),
        of(take_snapshot(hosts.client), near),
    )
    theirs = {one.local.port: one for one in other}
    seen = {}
    for kind, one in before.items():
        told = theirs[near.ports[kind]]
        assert (told.state, told.peer, told.cookie, told.inode) == (one.state, one.peer, one.cookie, one.inode)
        assert (told.send_queue, told.recv_queue) == (one.send_queue, one.recv_queue)
        assert [(owner.process.pid, owner.fd) for owner in told.owners] == [
            (owner.process.pid, owner.fd) for owner in one.owners
        ]
        if told.timer is not one.timer or not runs_on(one, after[kind]):
            continue  # it has fired between the looks
        if one.timer is not Timer.NONE:
            # From ten seconds on ss prints no milliseconds (misc/ss.c print_ms_timer).
            apart = APART_S if (told.timer_left or 0) < 10 else 1.0
            assert (after[kind].timer_left or 0) - apart <= (told.timer_left or 0) <= (one.timer_left or 0) + apart
        seen[kind] = one.timer
        if one.idle is not None and told.idle is not None:
            assert one.idle - APART_S <= told.idle <= (after[kind].idle or 0) + APART_S
    return seen


def test_timers_are_those_of_ss(hosts: Hosts, near: Near) -> None:
    seen = agree(hosts, near)
    assert {seen.get(kind) for kind in "abc"} == {Timer.KEEPALIVE, Timer.NONE}


def test_the_two_lists_of_the_kernel_agree(hosts: Hosts, near: Near) -> None:
    """/proc/net/tcp tells no idle times; all else that it tells is the same."""

    def by_netlink() -> dict[int, Socket]:
        return {one.inode: one for one in take_snapshot(hosts.client).sockets if one.inode}

    before = by_netlink()
    [path] = find_namespaces(hosts.client).values()
    with entered(path):
        by_proc = {one.inode: one for one in procfs.read_sockets() if one.inode}
    after = by_netlink()
    assert set(by_proc) == set(before) == set(after)
    for inode, one in by_proc.items():
        first, last = before[inode], after[inode]
        assert (one.local, one.peer, one.state, one.uid) == (first.local, first.peer, first.state, first.uid)
        assert one.idle is None
        if one.timer is Timer.KEEPALIVE and runs_on(first, last):
            assert (last.timer_left or 0) - APART_S <= (one.timer_left or 0) <= (first.timer_left or 0) + APART_S


def test_a_namespace_that_is_not_there_is_named(hosts: Hosts) -> None:
    with pytest.raises(UsageError, match=f"there are .*{hosts.client}"):
        take_snapshot("nowhere")


def test_all_namespaces_are_listed_once(hosts: Hosts, near: Near) -> None:
    found = take_snapshot("all").sockets
    mine = [one for one in found if one.local.port == near.ports["a"] and one.peer.port == PORT]
    assert len(mine) == 1
    assert {one.netns for one in found} >= {hosts.client, hosts.server}


def test_timers_of_what_waits_for_a_host_that_is_gone(hosts: Hosts, gone: Near) -> None:
    seen = agree(hosts, gone)
    kinds = of(take_snapshot(hosts.client), gone)
    assert kinds["s"].timer is Timer.RETRANSMIT
    assert kinds["s"].unanswered >= 3
    assert kinds["s"].send_queue == 100
    assert kinds["q"].timer is Timer.KEEPALIVE
    assert kinds["q"].unanswered >= 3
    assert Timer.RETRANSMIT in seen.values() or Timer.PERSIST in seen.values()


def test_what_leaks_or_waits_is_told_with_its_process(hosts: Hosts, gone: Near) -> None:
    sockets = take_snapshot(hosts.client).sockets
    suspects = {one.rule: one for one in find_suspects(sockets, idle_after=5)}
    stalled = {one.rule: one for one in find_suspects([of(Snapshot(0, sockets), gone)["p"]], idle_after=5)}
    assert set(stalled) <= {"probes-unanswered", "window-closed"}  # as many window probes as it took
    by_kind = {"b": "unprotected-socket", "c": "close-wait-held", "s": "data-unacknowledged", "q": "probes-unanswered"}
    for kind, rule in by_kind.items():
        assert gone.ports[kind] in [one.local.port for one in suspects[rule].sockets]
        assert f"(pid {gone.process.pid})" in suspects[rule].summary
    assert f"fd {gone.fds['c']}" in suspects["close-wait-held"].observed
    armed = gone.ports["a"]
    assert not [rule for rule, one in suspects.items() if armed in [socket.local.port for socket in one.sockets]]
