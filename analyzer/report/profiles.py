"""The known settings and idle timeouts for a reader: `keepalive profiles`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

from analyzer.knowledge.profiles import Middlebox, Profile
from analyzer.report.layout import entry, paragraph
from analyzer.report.phrases import settings_text

COLUMN, FIELD_COLUMN = 24, 17
CONFIDENCE = {"yes": "high", "fairly": "medium"}
Known = TypeVar("Known", Profile, Middlebox)
Style = Callable[[str], str]


def list_profiles(profiles: Sequence[Profile], boxes: Sequence[Middlebox], width: int, heading: Style = str) -> str:
    """A line for each: time/interval/count, or the seconds until an idle connection is forgotten or closed."""
    known = [entry(_settings(one), f"{one.name}, {one.versions}", width, COLUMN) for one in profiles]
    timeouts = [entry(str(one.idle_timeout_s), f"{one.name}: {one.on_expiry}", width, COLUMN) for one in boxes]
    lines = [
        heading("Keepalive settings"),
        *paragraph("tcp_keepalive_time / tcp_keepalive_intvl in seconds / tcp_keepalive_probes", width),
        *paragraph("(system: from the operating system; ?: unknown; n: any value, the same in both places)", width),
        "",
        heading(f"{'settings':{COLUMN}} name, versions"),
        *chain.from_iterable(known),
        "",
        heading("Idle timeouts"),
        *paragraph("of devices and programs that forget or close an idle connection", width),
        "",
        heading(f"{'seconds':{COLUMN}} name: on timeout"),
        *chain.from_iterable(timeouts),
    ]
    return "\n".join(lines) + "\n"


def show_profiles(
    name: str, profiles: Sequence[Profile], boxes: Sequence[Middlebox], width: int, heading: Style = str
) -> str:
    """All that is known of those with this name, or this word in it, else of those that contain it; empty if none."""
    whole = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    part = re.compile(re.escape(name), re.IGNORECASE)
    for wanted in (whole, part):
        parts = [_profile_text(one, width, heading) for one in _named(wanted, profiles)]
        parts += [_middlebox_text(one, width, heading) for one in _named(wanted, boxes)]
        if parts:
            return "\n".join(parts)
    return ""


def _named(wanted: re.Pattern[str], known: Sequence[Known]) -> list[Known]:
    return [one for one in known if wanted.search(one.name)]


def _settings(profile: Profile) -> str:
    """`7200/75/9`, and the length of the probe where it is not 0."""
    text = settings_text(profile.settings)
    return text + (f" {profile.probe_length} byte" if profile.probe_length else "")


def _profile_text(one: Profile, width: int, heading: Style) -> str:
    fields = {
        "settings": _settings(one),
        "versions": one.versions,
        "on by default": "yes" if one.on_by_default else "no",
        "set by": one.set_by,
        "source": one.source,
        "confidence": CONFIDENCE.get(one.sure, "low"),
    }
    return _text(heading(one.name), fields, width)


def _middlebox_text(one: Middlebox, width: int, heading: Style) -> str:
    refresh = {None: "unknown", True: "yes", False: "no"}[one.probes_refresh]
    fields = {
        "idle timeout": f"{one.idle_timeout_s} s",
        "on timeout": one.on_expiry,
        "late packet": one.on_next_packet,
        "reset by probes": refresh,
        "configurable": one.configurable,
        "source": one.source,
        "confidence": CONFIDENCE.get(one.sure, "low"),
    }
    return _text(heading(one.name), fields, width)


def _text(name: str, fields: dict[str, Any], width: int) -> str:
    lines = [name]
    for field, value in fields.items():
        lines += entry(field, str(value), width, FIELD_COLUMN, "  ")
    return "\n".join(lines) + "\n"
