"""The screen of a live analysis: what stands on it, whatever its size, and what keys do."""

from __future__ import annotations

import pytest

from analyzer.kernels import plain
from analyzer.live.session import Live
from analyzer.model.events import Event
from analyzer.model.flows import Endpoint
from analyzer.model.status import Outlook, Status
from analyzer.report.painting import Line, brief
from analyzer.report.screen import Message, Shown, compose
from analyzer.report.view import ORDERS, View

SECOND = 10**9
NAMES = Live(plain(), idle_after=SECOND, notify=lambda text: None, most=1)
NOW = 1_700_000_000 * SECOND
SERVER = Endpoint("198.51.100.20", 5432)


def outlook(stream: int, **changes: object) -> Outlook:
    usual = Outlook(
        stream, Endpoint("192.0.2.10", 40000 + stream), SERVER, "healthy", "info", False, None, "", stream * SECOND,
        "15/15/9", (15 - stream % 15) * SECOND, 0, None,
    )  # fmt: skip
    return usual._replace(**changes)  # type: ignore[arg-type]


DYING = outlook(90, unanswered=2, dead_in=20 * SECOND, probe_in=5 * SECOND)
DEAD = outlook(91, unanswered=3, dead_in=10 * SECOND, verdict="dead_peer", severity="high", probe_in=None)
OVER = outlook(92, over=True, verdict="closed", probe_in=None, ended_at=NOW - 60 * SECOND, ending="FIN by client")
LEAK = outlook(93, verdict="unprotected", severity="medium", probe_in=None, settings="", idle=3723 * SECOND)
IPV6 = outlook(94, client=Endpoint("2001:db8:1234:5678:9abc:def0:1234:5678", 40094))
QUIET = outlook(95, verdict="idle", probe_in=None, settings="no probe yet", idle=19 * SECOND)
ALL = [*(outlook(stream) for stream in range(30)), DYING, DEAD, OVER, LEAK, IPV6, QUIET]


def event(stream: int, kind: str, server: Endpoint, trouble: str = "info") -> Event:
    return Event(kind, NOW, stream, Endpoint("192.0.2.10", 40000 + stream), server, {}, None, trouble)


EVENTS: list[Event | str] = [
    "a note \x1b[2J",
    event(3, "connection-opened", SERVER),
    event(91, "dead-peer", Endpoint("2001:db8:1234:5678:9abc:def0:1234:5678", 443), "high"),
]


def messages(*, wide: bool = True) -> list[Message]:
    return [Message.of(one, NAMES, utc=True, wide=wide) for one in EVENTS]


def shown(**changes: object) -> Shown:
    status = Status(NOW, 12345, 40, 35, 4, 0, 0, 0.0)
    return Shown("eth0", status, 230.4, ALL, messages())._replace(**changes)  # type: ignore[arg-type]


def text(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def streams(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines if line.split() and line.split()[0].isdigit() and "198.51" in line]


@pytest.mark.parametrize("width", [1, 20, 70, 80, 96, 120, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 12, 24, 40, 100])
def test_a_screen_of_any_size_is_filled_and_never_overflows(width: int, height: int) -> None:
    for view in (View(), View(help=True), View(filter="nothing like it"), View(typing="abc")):
        lines = compose(shown(), view, width, height, utc=True)
        assert len(lines) == max(height, 1)
        if width >= 70:
            assert max(map(len, text(lines))) <= width


def test_what_will_be_given_up_first_stands_first() -> None:
    lines = text(compose(shown(), View(), 120, 60, utc=True))
    assert streams(lines)[:2] == [91, 90]
    assert streams(lines)[-1] == 92  # what is over
    row = next(line for line in lines if line.lstrip().startswith("90 "))
    assert row.split()[3:] == ["1m30s", "5s", "2", "20s", "15/15/9", "healthy"]


@pytest.mark.parametrize(
    ("order", "first"), [("next", 91), ("worst", 91), ("idle", 93), ("newest", 95)], ids=list(ORDERS)
)
def test_the_key_s_goes_through_the_orders(order: str, first: int) -> None:
    view = View()
    while view.order != order:
        view.key("s")
    assert streams(text(compose(shown(), view, 120, 40, utc=True)))[0] == first


def test_a_filter_is_seen_while_it_is_typed_and_stands_until_escape() -> None:
    view = View()
    for key in ["f", *"DEADx", "erase"]:
        view.key(key)
    lines = text(compose(shown(), view, 80, 24, utc=True))
    assert streams(lines) == [91]
    assert lines[-1] == "filter: DEAD_"
    view.key("enter")
    assert streams(text(compose(shown(), view, 80, 24, utc=True))) == [91]
    view.key("escape")
    assert len(streams(text(compose(shown(), view, 80, 24, utc=True)))) > 5


def test_moving_ends_at_the_ends() -> None:
    view = View()
    compose(shown(), view, 80, 24, utc=True)
    for key in ("up", "k", "page-up"):
        view.key(key)
    assert view.first == 0
    for _ in range(50):
        view.key("page-down")
    lines = text(compose(shown(), view, 80, 24, utc=True))
    assert streams(lines)[-1] == 92
    assert len(streams(lines)) == view.rows
    view.key("g")
    assert streams(text(compose(shown(), view, 80, 24, utc=True)))[0] == 91
    view.key("G")
    assert streams(text(compose(shown(), view, 80, 24, utc=True)))[-1] == 92


def test_pause_help_and_end() -> None:
    view = View()
    view.key(" ")
    assert "PAUSED" in text(compose(shown(), view, 80, 24, utc=True))[0]
    view.key("?")
    for key in ("?", "x", "h"):
        assert any("probes in a row without a reply" in line for line in text(compose(shown(), view, 80, 24, utc=True)))
        view.key(key)  # the key that opened it, or any other
        assert not view.help
        view.key("?")
    view.key("?")
    assert not view.help
    view.key("q")
    assert view.ended


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_an_event_begins_with_its_word_and_loses_its_middle(width: int) -> None:
    lines = compose(shown(messages=messages(wide=width >= 96)), View(), width, 40, utc=True)
    [dead] = [line for line in lines if any(span.text.startswith("dead-peer ") for span in line)]
    assert [span.style for span in dead] == ["dim", "red", ""]
    assert text([dead])[0].startswith("22:13:20.000 dead-peer         #91")
    assert max(map(len, text(lines))) <= width
    assert "1234:5678]:443" in text([dead])[0] or width < 96


def test_a_filter_is_for_events_too_and_leaves_notes() -> None:
    """Whatever of them is shown: on a narrow screen their ends are not."""
    view = View(filter="2001:db8:1234")
    said = [line for line in text(compose(shown(messages=messages(wide=False)), view, 80, 40, utc=True)) if line]
    assert any("dead-peer" in line for line in said) and any("a note" in line for line in said)
    assert not any("connection-opened" in line for line in said)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_row_says_when_and_how_it_ended(width: int) -> None:
    [row] = [line for line in text(compose(shown(), View(filter="#92"), width, 40, utc=True)) if " 92 " in f" {line}"]
    assert ("22:12:20 FIN by client" if width > 76 else "22:12:20") in row
    assert row.rstrip().endswith("closed")


def test_why_it_ended_makes_room_for_who_it_was() -> None:
    long = OVER._replace(ending="RST by client: keepalive exhausted", verdict="dead_peer", severity="high")
    for width, why in ((80, "dead_p"), (140, "dead_peer: keepalive exhausted")):
        lines = text(compose(shown(outlooks=[long]), View(), width, 40, utc=True))
        assert any(":5432" in line and "22:12:20 RST by client" in line and why in line for line in lines)


def test_a_connection_that_is_not_probed_yet_is_no_trouble() -> None:
    lines = compose(shown(), View(filter="#95"), 120, 40, utc=True)
    [row] = [line for line in lines if "no probe yet" in text([line])[0]]
    assert row[-1] == ("idle", "green")


def test_what_was_lost_is_said_first() -> None:
    status = Status(NOW, 1, 1000, 100, 0, 7, 12, 3.5)
    line = text(compose(shown(status=status), View(), 80, 24, utc=True))[1]
    assert line.startswith("12 DROPPED  3.5 s BEHIND  100 connections (and 900 left)")


def test_names_from_outside_move_no_cursor() -> None:
    lines = text(compose(shown(title="eth\x1b[2J0"), View(), 120, 60, utc=True))
    assert not [line for line in lines if "\x1b" in line]
    assert any(r"\x1b[2J" in line for line in lines)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (250, "4m10s"), (7500, "2h05m"), (273600, "3d04h"), (-3, "-3s")],
)
def test_spans_are_brief(seconds: float, says: str) -> None:
    assert brief(round(seconds * SECOND)) == says
