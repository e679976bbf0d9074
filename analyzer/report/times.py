"""Times as people and programs read them: exact, in the zone that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from analyzer.tcp import SECOND


def seconds(nanoseconds: int, digits: int) -> str:
    """Nanoseconds as a decimal literal of seconds, cut to this many digits (0 to 9)."""
    # Cutting a string in two is several times faster than dividing, and large captures have a million times.
    text = str(nanoseconds)
    if nanoseconds < SECOND:
        sign = "-" if nanoseconds < 0 else ""
        text = sign + str(abs(nanoseconds)).rjust(10, "0")
    return f"{text[:-9]}.{text[-9:][:digits]}" if digits else text[:-9]


def seconds_writer(digits: int) -> Callable[[int], str]:
    """`seconds` with so many digits, for many times of day."""
    end = digits - 9 if digits < 9 else None

    def write(nanoseconds: int) -> str:
        if nanoseconds < SECOND or not digits:
            return seconds(nanoseconds, digits)
        text = str(nanoseconds)
        return f"{text[:-9]}.{text[-9:end]}"

    return write


def clock(nanoseconds: int, utc: bool, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time of day, in local time or UTC."""
    return _moment(nanoseconds, utc).strftime(form)


def clock_with_fraction(nanoseconds: int, utc: bool) -> str:
    """A time of day with milliseconds."""
    # As strftime() has it, in a third of its time: `live` tells one with each event.
    moment, rest = _moment(nanoseconds, utc), nanoseconds % SECOND // 1_000_000
    return f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}.{rest:03}"


def zone(nanoseconds: int, utc: bool) -> str:
    """The name of the zone that `clock` used."""
    return _moment(nanoseconds, utc).tzname() or ""


def _moment(nanoseconds: int, utc: bool) -> datetime:
    moment = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return moment if utc else moment.astimezone()
