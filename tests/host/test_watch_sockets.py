"""`keepalive sockets --watch`: what is new between looks, the screen whatever its size, lines and objects."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from commands import KEEPALIVE, environment, keepalive
from live_network import Hosts, talking, two_hosts
from terminals import ALTERNATE_SCREEN, AND_BACK, LONGEST_S, on_a_terminal

from analyzer.diagnose.sockets import count_open, find_growing
from analyzer.host import Snapshot
from analyzer.live.sockets_watch import MISSING, SocketsWatch, Watching, timer_news
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Change, Look, Owner, Process, Socket, Timer
from analyzer.report.painting import Line
from analyzer.report.socket_events import event_line, json_lines, message_of, text_lines
from analyzer.report.socket_orders import ORDERS
from analyzer.report.socket_screen import SUSPECTS, Shown, compose, view_of
from analyzer.tcp import State

NEAR, FAR = "192.0.2.10", Endpoint("198.51.100.20", 5432)
HELD = Owner(Process(77, "api", "root"), 5)


def made(number: int, **changes: object) -> Socket:
    """An established connection with keepalive, 10 s before its next probe."""
    usual = Socket(
        Endpoint(NEAR, 40000 + number), FAR, State.ESTABLISHED, Timer.KEEPALIVE, 10.0, 0, 5.0, 5.0, 5.0,
        cookie=number + 1, owners=(HELD,),
    )  # fmt: skip
    return usual._replace(**changes)  # type: ignore[arg-type]


BARE = made(50, timer=Timer.NONE, timer_left=None, received_ago=4000.0, sent_ago=4000.0)
HELD_OPEN = made(51, state=State.CLOSE_WAIT, timer=Timer.NONE, timer_left=None, heard_ago=90.0)


def watch(*looks: Sequence[Socket], **how: bool) -> SocketsWatch:
    """One that finds these, one list at each look."""
    found = iter(looks)
    return SocketsWatch(lambda: Snapshot(1_700_000_000.0, list(next(found)), 2), list, 3600.0, **how)


def told(*looks: Sequence[Socket], **how: bool) -> list[list[tuple[str, str]]]:
    """The changes of each look: what happened, and to which port, or by which rule."""
    watching = watch(*looks, **how)
    return [[told_of(change) for change in watching.look().changes] for _ in looks]


def told_of(change: Change) -> tuple[str, str]:
    if change.suspect is not None:
        return change.kind, change.suspect.rule
    assert change.socket is not None
    return change.kind, str(change.socket.local.port)


# -- what is new


def test_the_first_look_has_nothing_new_but_suspects() -> None:
    assert told([made(1), BARE]) == [[("suspect", "unprotected-socket")]]


def test_what_opens_and_closes_is_told_once() -> None:
    first, second = [made(1), made(2)], [made(2), made(3)]
    assert told(first, second, second) == [[], [("closed", "40001"), ("opened", "40003")], []]


def test_a_new_connection_between_the_same_ends_is_another() -> None:
    assert told([made(1)], [made(1, cookie=900)]) == [[], [("closed", "40001"), ("opened", "40001")]]
    assert told([made(1, cookie=0)], [made(1, cookie=0, inode=7)]) == [[], []]


def test_listeners_that_share_a_port_are_several() -> None:
    """Without cookies, as /proc/net/tcp has them."""
    one = made(1, cookie=0, state=State.LISTEN, inode=7)
    assert told([one], [one, one._replace(inode=8)]) == [[], [("opened", "40001")]]


@pytest.mark.parametrize(
    ("changes", "passed", "news"),
    [
        ({"timer_left": 9.0}, 1.0, ""),
        ({"timer_left": 9.4}, 1.0, ""),
        ({"timer_left": 9.6}, 1.0, "re-armed"),
        ({"timer_left": 10.0}, 1.0, "re-armed"),
        ({"timer_left": 4.0, "unanswered": 1}, 7.0, "unanswered"),
        ({"timer": Timer.NONE, "timer_left": None}, 1.0, "keepalive-off"),
        ({"timer": Timer.RETRANSMIT, "timer_left": 0.2}, 1.0, ""),  # it hides keepalive: nothing is known to have ended
        ({"timer": Timer.RETRANSMIT, "timer_left": 0.4, "unanswered": 2}, 1.0, "unanswered"),
    ],
)
def test_a_timer_that_only_runs_on_is_no_news(changes: dict[str, object], passed: float, news: str) -> None:
    assert timer_news(made(1), made(1, **changes), passed) == news


def test_keepalive_that_is_turned_on_is_news() -> None:
    off = made(1, timer=Timer.NONE, timer_left=None)
    assert timer_news(off, made(1), 1.0) == "keepalive-on"


def test_each_segment_sets_the_retransmission_timer_again_and_that_is_no_news() -> None:
    busy = made(1, timer=Timer.RETRANSMIT, timer_left=0.2)
    assert timer_news(busy, busy, 1.0) == ""


# -- suspects


def test_a_suspect_is_told_once_and_withdrawn_when_its_sockets_are_closed() -> None:
    looks = told([HELD_OPEN], [HELD_OPEN], [])
    assert looks == [[("suspect", "close-wait-held")], [], [("closed", "40051"), ("withdrawn", "close-wait-held")]]


def test_a_suspect_that_a_busy_timer_hides_is_not_withdrawn_at_once() -> None:
    slow = made(1, timer_left=7195.0)
    busy = made(1, timer=Timer.RETRANSMIT, timer_left=0.2)
    hidden = told([slow], *([busy] for _ in range(MISSING - 1)), [slow])
    assert [kind for look in hidden for kind, _ in look] == ["suspect"]
    fixed = told([slow], *([busy] for _ in range(MISSING)))
    assert fixed[-1] == [("withdrawn", "two-hour-default")]


def test_a_suspect_that_becomes_worse_is_told_again() -> None:
    longer = BARE._replace(received_ago=90_000.0, sent_ago=90_000.0)
    assert told([BARE], [longer]) == [[("suspect", "unprotected-socket")]] * 2


def test_only_suspects_leave_the_rest_out() -> None:
    watching = watch([made(1), BARE], [made(2), BARE], only_suspects=True)
    assert [one.cookie for one in watching.look().sockets] == [BARE.cookie]
    assert watching.look().changes == ()
    assert watching.worst == "medium"


def growing_looks(*numbers: int) -> list[list[Socket]]:
    return [[made(place) for place in range(number)] for number in numbers]


def test_what_grows_look_by_look_is_suspect() -> None:
    looks = told(*growing_looks(2, 4, 6, 8, 8))
    assert [("suspect", "growing") in look for look in looks] == [False, False, False, True, False]


@pytest.mark.parametrize("numbers", [(2, 9, 9, 9, 9), (2, 4, 3, 6, 9), (2, 3, 4, 5, 6)])
def test_a_single_jump_what_shrinks_and_what_grows_little_is_not(numbers: Sequence[int]) -> None:
    assert ("suspect", "growing") not in [change for look in told(*growing_looks(*numbers)) for change in look]


def test_growth_of_a_service_offered_here_is_its_own() -> None:
    """Clients come from ports of their own; it is the port that they come to that counts."""
    listener = made(0, local=Endpoint(NEAR, 80), peer=Endpoint("0.0.0.0", 0), state=State.LISTEN)
    looks = [
        [listener, *(made(n, local=Endpoint(NEAR, 80), peer=Endpoint(FAR.address, 50000 + n)) for n in range(1, upto))]
        for upto in (2, 4, 6, 9)
    ]
    [found] = find_growing(looks[-1], [count_open(look) for look in looks], 3.0)
    assert found.observed == "1 connection, then 3, 5, 8"
    assert len(found.sockets) == 8
    assert found.summary.startswith("api (pid 77) has 8 connections to its port 80, 7 more than 3.0 s ago")


def test_what_is_kept_of_ten_looks_are_counts() -> None:
    watching = watch(*growing_looks(*range(1, 16)))
    for _ in range(15):
        look = watching.look()
    [grown] = [one for one in look.suspects if one.rule == "growing"]
    assert grown.observed == "6 connections, then 7, 8, 9, 10, 11, 12, 13, 14, 15"


# -- lines and objects


def test_lines_say_what_happened_to_whom() -> None:
    look = watch([made(1), HELD_OPEN]).look()
    first, suspect = (str(line)[9:] for line in text_lines(look, first=True, full=False))
    assert first == "watching  2 TCP sockets, 1 suspect"
    assert suspect.startswith("suspect   HIGH close-wait-held: api (pid 77) has not closed 1 connection to 198.51")
    [full] = text_lines(look, first=False, full=True)
    assert "Fix: Close the socket when read() returns 0" in full.rest
    later = made(1, unanswered=1, timer_left=2.0)
    lines = [
        str(event_line(change))[9:]
        for change in (
            Change("opened", 0.0, made(1)),
            Change("timer", 0.0, later, why="unanswered"),
            Change("timer", 0.0, made(1), why="re-armed"),
            Change("withdrawn", 0.0, suspect=look.suspects[0]),
        )
    ]
    assert lines == [
        "opened    192.0.2.10:40001 > 198.51.100.20:5432 ESTABLISHED  api (pid 77, fd 5)",
        "timer     192.0.2.10:40001 > 198.51.100.20:5432 keepalive: 1 without a reply, 0 before, 2.0 s left  "
        "api (pid 77, fd 5)",
        "timer     192.0.2.10:40001 > 198.51.100.20:5432 keepalive set again, 10.0 s left  api (pid 77, fd 5)",
        "withdrawn close-wait-held of pid 77 198.51.100.20:5432",
    ]


def test_objects_have_the_fields_of_the_list() -> None:
    watching = watch([made(1)], [HELD_OPEN, made(1, unanswered=1)], [])
    found = [json.loads(line) for place in range(3) for line in json_lines(watching.look(), first=place == 0)]
    kinds = ["snapshot", "opened", "timer", "suspect", "closed", "closed", "withdrawn"]
    assert [one["type"] for one in found] == kinds
    snapshot, opened, timer, suspect, *_ = found
    assert (snapshot["sockets"], snapshot["unseen_processes"]) == (1, 2)
    assert (opened["local_port"], opened["pid"], opened["state"]) == (40051, 77, "CLOSE-WAIT")
    assert (timer["why"], timer["unanswered_before"], timer["unanswered"]) == ("unanswered", 0, 1)
    assert (suspect["rule"], suspect["service"]["port"]) == ("close-wait-held", 5432)


# -- the screen


def shown(*sockets: Socket, passed: float = 0.0) -> Shown:
    return Shown.of("port 5432", watch(sockets).look())._replace(passed=passed)


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


MANY = [*(made(number) for number in range(30)), BARE, HELD_OPEN]
MESSAGES = [message_of("a note \x1b[2J"), message_of(Change("opened", 0.0, made(3)))]


@pytest.mark.parametrize("width", [1, 20, 80, 109, 110, 140, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 12, 24, 60])
def test_a_screen_of_any_size_is_filled_and_never_overflows(width: int, height: int) -> None:
    long = made(40, peer=Endpoint("2001:db8:1234:5678:9abc:def0:1234:5678", 40094), state=State.CLOSE_WAIT)
    for sockets in ([], [*MANY, long]):
        for change in ("", "?", "/"):
            view = view_of(SUSPECTS)
            view.key(change)
            lines = compose(shown(*sockets), MESSAGES, view, width, height)
            assert len(lines) == height
            if width >= 80:
                assert max(map(len, text(lines))) <= width
            assert not any("\x1b" in line for line in text(lines))


@pytest.mark.parametrize(("width", "rule"), [(80, "close-wait-held "), (140, " close-wait-held")])
def test_suspects_come_first_in_the_colour_of_their_severity(width: int, rule: str) -> None:
    lines = compose(shown(*MANY), [], view_of(SUSPECTS), width, 24)
    assert [line[0].style for line in lines[3:6]] == ["red", "yellow", ""]
    assert rule in text(lines)[3]
    assert text(lines)[1] == "2 suspects  32 connections  keepalive on 30, off 2  2 processes not seen"


def test_timers_run_between_looks_and_so_does_idle_time() -> None:
    [row] = [
        line for line in text(compose(shown(made(1), passed=4.0), [], view_of(SUSPECTS), 80, 24)) if ":5432 " in line
    ]
    assert row.split() == ["ESTABLISHED", str(FAR), "keepalive", "6s", "-", "9s", "api", "77"]
    over = shown(made(1), passed=12.0)
    assert any(" now " in line for line in text(compose(over, [], view_of(SUSPECTS), 80, 24)))
    assert "looked 12s ago" in text(compose(over, [], view_of(SUSPECTS), 80, 24))[1]


def test_the_key_s_goes_through_the_orders_and_a_filter_chooses() -> None:
    view = view_of("timer")
    soon = made(60, timer_left=1.0)
    assert "40060" in text(compose(shown(*MANY, soon), [], view, 140, 24))[3]
    for _ in range(len(ORDERS) + 1):
        view.key("s")
    assert view.order == "timer"
    for key in "/close-wait":
        view.key(key)
    view.key("enter")
    lines = text(compose(shown(*MANY), MESSAGES, view, 140, 24))
    assert sum(str(FAR) in line for line in lines) == 1
    assert any(r"a note \x1b[2J" in line for line in lines)
    assert not any("opened" in line for line in lines)


# -- the loop


class Counting:
    """Stops after so many looks."""

    every_s = 600.0

    def __init__(self, stop_after: int) -> None:
        self.left, self.drawn = stop_after, 0
        self.run: Watching | None = None

    def listen(self, look: Look) -> None:
        self.left -= 1
        if not self.left and self.run is not None:
            self.run.stop()

    def draw(self) -> None:
        self.drawn += 1


def test_the_loop_ends_when_it_is_stopped() -> None:
    audience = Counting(3)
    audience.run = Watching(watch(*growing_looks(1, 2, 3)), 0.001)
    assert len(audience.run.run(audience).sockets) == 3
    assert audience.drawn >= 3


def test_without_time_there_is_one_look() -> None:
    assert len(Watching(watch([made(1)]), 1.0).run(Counting(9), 0.0).sockets) == 1


# -- the command


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--watch", "--from", "-"), "leave --from out"),
        (("--watch", "--format", "csv"), "text or ndjson, not csv"),
        (("--watch", "--format", "json"), "text or ndjson, not json"),
        (("--watch", "--format", "parquet", "-o", "x"), "text or ndjson, not parquet"),
        (("--duration", "1"), "add --watch"),
        (("--watch", "0"), "--watch"),
    ],
)
def test_what_makes_no_sense_with_it_is_refused(words: Sequence[str], says: str) -> None:
    run = keepalive("sockets", *words)
    assert run.returncode == 2
    assert says in run.stderr.decode()


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with two_hosts() as both:
        yield both


def inside(hosts: Hosts, *words: str) -> subprocess.Popen[bytes]:
    """The command on the client's host."""
    command = ["ip", "netns", "exec", hosts.client, *KEEPALIVE, "sockets", "--watch", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


def test_a_connection_is_seen_from_its_opening_to_its_end(hosts: Hosts) -> None:
    watching = inside(hosts, "0.2", "--duration", "6", "--format", "ndjson", "--port", "7000")
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    with talking(hosts, (2, 1, 3)) as client:
        time.sleep(3)
        pid = client.pid
    out, err = watching.communicate(timeout=LONGEST_S)
    assert watching.returncode == 0, err
    changes = [json.loads(line) for line in out.splitlines()]
    assert first["type"] == "snapshot"
    kinds = [one["type"] for one in changes]
    assert (kinds[0], kinds[-1]) == ("opened", "closed")
    assert kinds.count("opened") == kinds.count("closed") == 1
    assert {one["pid"] for one in changes} == {pid}
    timers = [one for one in changes if one["type"] == "timer"]
    assert "re-armed" in {one["why"] for one in timers}  # its probe was answered
    assert all(0 < one["timer_left_s"] <= 2.1 for one in timers if one["why"] == "re-armed")
    assert all(one["time"] <= later["time"] for one, later in pairwise(changes))


def test_ctrl_c_ends_it_with_status_0(hosts: Hosts) -> None:
    watching = inside(hosts, "0.2", "--duration", "50")
    assert watching.stdout is not None
    with contextlib.closing(watching.stdout):
        assert b"watching  0 TCP sockets, 0 suspects" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=LONGEST_S) == 0
        assert watching.stderr is not None
        watching.stderr.close()


def test_the_screen_shows_them_and_gives_the_terminal_back(hosts: Hosts) -> None:
    inside_it = ("ip", "netns", "exec", hosts.client)
    with on_a_terminal("sockets", "--watch", "0.2", "--duration", "50", prefix=inside_it, width=140) as tty:
        tty.until(ALTERNATE_SCREEN)
        tty.until(b"keepalive sockets")
        tty.until(b"no socket")
        with talking(hosts):
            tty.until(b"1 connection")
            tty.until(b"opened")
            tty.press(b"?")
            tty.until(b"time until the timer fires")
            tty.press(b"x")
            tty.press(b"/7000\r")
            tty.until(b"filter: 7000")
            tty.press(b"p")
            tty.until(b"PAUSED")
            tty.press(b"q")
            tty.until(AND_BACK)
            rest = tty.rest()
            assert tty.process.wait(timeout=LONGEST_S) == 0
    assert b"1 TCP socket: 1 ESTABLISHED; keepalive on 1" in rest
    assert ALTERNATE_SCREEN not in rest
