"""The screen of a live analysis: what stands on it, whatever its size, and what keys do."""

from __future__ import annotations

import pytest

from analyzer.model.flows import Endpoint
from analyzer.model.status import Outlook, Status
from analyzer.report.screen import ORDERS, Line, Shown, View, brief, compose

SECOND = 10**9
NOW = 1_700_000_000 * SECOND
SERVER = Endpoint("198.51.100.20", 5432)


def outlook(stream: int, **changes: object) -> Outlook:
    usual = Outlook(
        stream, Endpoint("192.0.2.10", 40000 + stream), SERVER, "healthy", "info", False, stream * SECOND, "15/15/9",
        (15 - stream % 15) * SECOND, 0, None,
    )  # fmt: skip
    return usual._replace(**changes)  # type: ignore[arg-type]


DYING = outlook(90, unanswered=2, dead_in=20 * SECOND, probe_in=5 * SECOND)
DEAD = outlook(91, unanswered=3, dead_in=10 * SECOND, verdict="dead_peer", severity="high", probe_in=None)
OVER = outlook(92, over=True, verdict="closed", probe_in=None)
LEAK = outlook(93, verdict="unprotected", severity="medium", probe_in=None, settings="", idle=3723 * SECOND)
IPV6 = outlook(94, client=Endpoint("2001:db8:1234:5678:9abc:def0:1234:5678", 40094))
ALL = [*(outlook(stream) for stream in range(30)), DYING, DEAD, OVER, LEAK, IPV6]


def shown(**changes: object) -> Shown:
    status = Status(NOW, 12345, 40, 35, 4, 0, 0, 0.0)
    return Shown("eth0", status, 230.4, ALL, ["first", "second \x1b[2J"])._replace(**changes)  # type: ignore[arg-type]


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
    ("order", "first"), [("next", 91), ("worst", 91), ("idle", 93), ("newest", 94)], ids=list(ORDERS)
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
    assert lines[-1] == "show what contains: DEAD_"
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
    assert any("lost" in line and "nothing answered" in line for line in text(compose(shown(), view, 80, 24, utc=True)))
    view.key("x")
    assert not view.help
    view.key("q")
    assert view.ended


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
