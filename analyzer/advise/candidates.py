"""Candidate settings: those that a user names, and those proposed under the limits that a capture shows."""

from __future__ import annotations

import re
from dataclasses import replace

from analyzer.advise.timer import gives_up
from analyzer.errors import UsageError
from analyzer.model.advice import Candidate

# Quick, usual, sparing: a dead peer known within 30 s, 90 s, 260 s. 200 s is below the shortest limit of a cloud's load
# balancer (Azure: 240 s), also when the timer is late.
USUAL = (Candidate(15, 5, 3), Candidate(60, 10, 3), Candidate(200, 20, 3))
# include/net/tcp.h MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT.
LONGEST_S, MOST_PROBES = 32767, 127
UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
FORM = "idle/interval/count, such as 60/10/3, 2m/10s/3 or 60/10/3/ut90 (ut: TCP_USER_TIMEOUT)"


def parse(text: str) -> Candidate:
    """Settings as a user writes them; raises UsageError for what is none, or what Linux refuses."""
    parts = text.strip().lower().split("/")
    limit = parts.pop() if len(parts) == 4 else None
    if len(parts) != 3 or (limit is not None and not limit.startswith("ut")):
        raise UsageError(f"--settings {text}: expected {FORM}")
    idle, interval = (_whole_seconds(part, text) for part in parts[:2])
    count = int(parts[2]) if re.fullmatch(r"\d{1,3}", parts[2]) else 0
    if not 1 <= count <= MOST_PROBES:
        raise UsageError(f"--settings {text}: the count must be 1 to {MOST_PROBES}")
    return Candidate(idle, interval, count, None if limit is None else _seconds(limit.removeprefix("ut"), text))


def _whole_seconds(part: str, text: str) -> int:
    seconds = _seconds(part, text)
    if seconds != int(seconds) or not 1 <= seconds <= LONGEST_S:
        raise UsageError(f"--settings {text}: {part} must be 1 to {LONGEST_S} whole seconds")
    return int(seconds)


def _seconds(part: str, text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|min|h|)", part)
    if match is None or not float(match[1]):
        raise UsageError(f"--settings {text}: {part!r} is not a time; expected {FORM}")
    return float(match[1]) * UNITS[match[2]]


def proposals(longest_idle: int | None, no_later: float | None, *, unacknowledged: bool) -> list[Candidate]:
    """The usual settings, cut down to what a capture asks for; the quickest first, each once.

    No idle time is above `longest_idle` (what devices on the path are known to allow), and none notices a dead peer
    later than after `no_later` seconds (what the settings seen do): advice makes nothing slower. `unacknowledged` data
    gets the same time limit by TCP_USER_TIMEOUT.
    """
    made = [_below(usual, longest_idle) for usual in USUAL]
    if no_later is not None:
        made = [one for one in made if gives_up(one).nominal <= no_later] or [_within(no_later, longest_idle)]
    if unacknowledged:
        made = [_with_user_timeout(one) for one in made]
    return list(dict.fromkeys(made))


def _below(usual: Candidate, longest_idle: int | None) -> Candidate:
    idle = min(usual.idle, longest_idle or usual.idle)
    return replace(usual, idle=idle, interval=min(usual.interval, idle))


def _within(seconds: float, longest_idle: int | None) -> Candidate:
    """Two thirds of the time to wait, the rest for three probes, a second apart at least."""
    idle = min(max(1, min(int(seconds * 2 / 3), int(seconds) - 3)), longest_idle or LONGEST_S)
    return Candidate(idle, max(1, min(int((seconds - idle) / 3), idle)), 3)


def _with_user_timeout(settings: Candidate) -> Candidate:
    """A little below what keepalive takes: it replaces the count, and the last probe is to have its time."""
    return replace(settings, user_timeout=gives_up(settings).nominal - settings.interval / 2)
