"""Spans of time and numbers of things in words."""

from __future__ import annotations

from analyzer.tcp import SECOND

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
# Up to this a duration is in seconds, below that in milliseconds.
SECONDS_UP_TO, SECONDS_FROM = 120.0, 0.05


def duration(nanoseconds: float) -> str:
    """`0.3 ms`, `11.2 s`, `2 min 5 s`, `2 h 12 min`, `830 d 10 h`."""
    length = nanoseconds / SECOND
    if length < SECONDS_FROM:
        return f"{max(length * 1000, 0.1):.1f} ms"
    if length <= SECONDS_UP_TO:
        return f"{length:.1f} s"
    if length < HOUR_S - 0.5:
        return _two(round(length), MINUTE_S, "min", "s")
    if length < 2 * DAY_S:
        return _two(round(length / MINUTE_S), 60, "h", "min")
    return _two(round(length / HOUR_S), 24, "d", "h")


def _two(number: int, large: int, name: str, rest: str) -> str:
    """A number of small units in two units, the second where it is not zero."""
    whole, left = divmod(number, large)
    return f"{whole} {name}" + (f" {left} {rest}" if left else "")


def between(low: float, high: float) -> str:
    """`7.0 s`, or `7.0 s to 9.2 s`, of two durations in nanoseconds."""
    shortest, longest = duration(low), duration(high)
    return shortest if shortest == longest else f"{shortest} to {longest}"


def whole_seconds(number: float) -> str:
    """A setting or a sum of settings: `75 s`, `2 h 11 min`, `9.35 s`."""
    return f"{number:.4g} s" if number <= SECONDS_UP_TO else duration(number * SECOND)


def several(number: int, one: str) -> str:
    """`1 probe`, `3 probes`, `1,000 probes`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def connections(number: int) -> str:
    """`1 connection`, `3 connections`."""
    return several(number, "connection")


def times(number: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")
