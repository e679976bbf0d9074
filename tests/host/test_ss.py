"""What `ss` prints on another host, in its many forms, is read as what the kernel itself would have said."""

from __future__ import annotations

from random import Random

import pytest

from analyzer.errors import CaptureError
from analyzer.host.ss import read_ss
from analyzer.model.sockets import Socket, Timer
from analyzer.report.socket_records import record
from analyzer.tcp import State

HEAD = "State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n"
FULL = (
    HEAD
    + 'ESTAB 0 36 10.0.0.1:22 10.0.0.9:53122 users:(("sshd",pid=712,fd=4),("sshd",pid=700,fd=4)) '
    + "timer:(on,212ms,2) uid:1000 ino:4711 sk:1f cgroup:/system.slice/ssh.service <->\n"
    + "\t ts sack cubic rto:224 rtt:0.5/0.25 lastsnd:12 lastrcv:3600 lastack:40 retrans:1/7\n"
)


def only(text: str) -> Socket:
    [one] = read_ss(text)
    return one


def test_all_that_ss_knows_is_read() -> None:
    one = only(FULL)
    assert (str(one.local), str(one.peer), one.state) == ("10.0.0.1:22", "10.0.0.9:53122", State.ESTABLISHED)
    assert (one.timer, one.timer_left, one.unanswered) == (Timer.RETRANSMIT, 0.212, 2)
    assert (one.received_ago, one.sent_ago, one.heard_ago) == (3.6, 0.012, 0.04)
    assert (one.recv_queue, one.send_queue, one.retransmissions, one.rtt) == (0, 36, 7, 0.0005)
    assert (one.uid, one.inode, one.cookie) == (1000, 4711, 0x1F)
    assert [(owner.process.command, owner.process.pid, owner.fd) for owner in one.owners] == [
        ("sshd", 712, 4),
        ("sshd", 700, 4),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("119min", 7140),
        ("1min36sec", 96),
        ("57sec", 57),
        ("9.204ms", 9.204),
        ("1.004ms", 1.004),
        ("204ms", 0.204),
        ("", 0),
    ],
)
def test_times_are_read_as_ss_writes_them(text: str, seconds: float) -> None:
    one = only(f"ESTAB 0 0 10.0.0.1:22 10.0.0.9:53122 timer:(keepalive,{text},0)\n")
    assert one.timer_left == pytest.approx(seconds)
    assert one.keepalive is True


@pytest.mark.parametrize(
    ("ends", "local", "peer"),
    [
        ("[::1]:80 [2001:db8::9]:40000", "[::1]:80", "[2001:db8::9]:40000"),
        ("[::ffff:10.0.0.1]:80 [::ffff:10.0.0.2]:40000", "10.0.0.1:80", "10.0.0.2:40000"),
        ("[fe80::1%eth0]:80 [fe80::2]:40000", "[fe80::1]:80", "[fe80::2]:40000"),
        ("10.0.0.1%eth0:80 10.0.0.2:40000", "10.0.0.1:80", "10.0.0.2:40000"),
        ("127.0.0.1:ssh 10.0.0.2:40000", "127.0.0.1:22", "10.0.0.2:40000"),
    ],
)
def test_addresses_are_read_as_ss_writes_them(ends: str, local: str, peer: str) -> None:
    one = only(f"ESTAB 0 0 {ends}\n")
    assert (str(one.local), str(one.peer)) == (local, peer)


def test_without_o_and_e_no_timer_means_nothing() -> None:
    row = "ESTAB 0 0 10.0.0.1:22 10.0.0.9:53122"
    assert only(row).keepalive is None
    assert only(f"{row} ino:5 sk:2 <->").keepalive is False
    assert only(f"{row} timer:(keepalive,57sec,0)").keepalive is True


def test_states_and_columns_of_other_calls() -> None:
    text = "Netid State Recv-Q Send-Q Local Peer\ntcp LISTEN 0 128 *:22 *:*\ntcp CLOSE-WAIT 1 0 10.0.0.1:1 10.0.0.2:2\n"
    states = [one.state for one in read_ss(text)]
    assert states == [State.LISTEN, State.CLOSE_WAIT]
    assert read_ss(HEAD) == []


@pytest.mark.parametrize(("text", "says"), [("hello\n", "no socket in it"), ("", "no socket in it")])
def test_what_is_something_else_is_refused(text: str, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        read_ss(text, "sockets.txt")


def test_a_port_that_is_a_name_nobody_knows_is_told() -> None:
    with pytest.raises(CaptureError, match="have ss print numbers"):
        read_ss("ESTAB 0 0 10.0.0.1:nosuchservice 10.0.0.2:2\n", "sockets.txt")


@pytest.mark.parametrize("cut", range(0, len(FULL), 3))
def test_a_cut_anywhere_is_no_defect(cut: int) -> None:
    try:
        found = read_ss(FULL[:cut], "cut.txt")
    except CaptureError:
        return
    assert len(found) <= 1


@pytest.mark.parametrize(
    "ends", ["10.0.0.300:22 10.0.0.9:1", "10.0.0.1:22 10.0.0.9:99999", "x:1 y:2", "10.0.0.1: 10.0.0.9:1"]
)
def test_a_damaged_row_leaves_the_others(ends: str) -> None:
    damaged = f"ESTAB 0 0 {ends}\n"
    assert len(read_ss(damaged + FULL)) == 1
    with pytest.raises(CaptureError, match="no socket in it"):
        read_ss(damaged)


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_no_defect(seed: int) -> None:
    rng = Random(seed)
    text = list(FULL)
    for _ in range(rng.randint(1, 9)):
        text[rng.randrange(len(text))] = chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x110000 - 1))))
    try:
        found = read_ss("".join(text).encode("utf-8", "replace").decode())
    except CaptureError:
        return
    for one in found:
        assert record(one)["community_id"]
