"""The TIME of `--start` and `--end`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from analyzer.errors import UsageError
from analyzer.model.captures import Span
from analyzer.tcp import SECOND

UNIX = re.compile(r"(\d+)(?:\.(\d{1,9}))?")
CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?")
AFTER = re.compile(r"\+(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.(\d{1,9}))?s?)?")
FORMS = "09:31, 09:31:05, 2026-01-31T09:31:05, Unix time, or +30, +5m, +1h30m from the first packet"


def parse_time(text: str, span: Span, *, utc: bool = False) -> int:
    """A time in nanoseconds, for a capture with this span.

    A time of day is that of the first packet's day, in local time or in UTC; where that lies before the first packet,
    and the capture goes on past midnight, the next day's. ISO 8601 without a zone is local time.
    Raises UsageError for anything else.
    """
    if match := UNIX.fullmatch(text):
        return _nanoseconds(*match.groups())
    if (match := AFTER.fullmatch(text)) and len(text) > 1:
        days, hours, minutes, seconds, fraction = match.groups()
        whole = int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60
        return span.first + whole * SECOND + _nanoseconds(seconds or "0", fraction)
    try:
        if CLOCK.fullmatch(text):
            return _time_of_day(text, span, utc)
        return _of_moment(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{text or 'an empty TIME'}: not a time; use {FORMS}") from error


def _nanoseconds(seconds: str, fraction: str | None) -> int:
    return int(seconds) * SECOND + int((fraction or "0").ljust(9, "0"))


def _of_moment(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000


def _time_of_day(text: str, span: Span, utc: bool) -> int:
    clock = time.fromisoformat(text.rjust(len(text) + (text.index(":") == 1), "0"))
    first, last = (datetime.fromtimestamp(moment // SECOND, UTC) for moment in span)
    if not utc:
        first, last = first.astimezone(), last.astimezone()
    at = _on_day(first, clock, utc)
    if at < span.first and first.date() < last.date():
        at = _on_day(first + timedelta(days=1), clock, utc)
    return at


def _on_day(day: datetime, clock: time, utc: bool) -> int:
    # A local time gets the offset that is in force on its own day, for clocks are put forward and back.
    naive = datetime.combine(day.date(), clock)
    return _of_moment(naive.replace(tzinfo=UTC) if utc else naive.astimezone())
