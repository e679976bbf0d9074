"""The known settings and idle timeouts for a reader: `keepalive profiles`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from analyzer.knowledge.profiles import Middlebox, Profile
from analyzer.report.phrases import settings_text

WIDTH = 100
CONFIDENCE = {"yes": "high", "fairly": "medium"}
Known = TypeVar("Known", Profile, Middlebox)
Style = Callable[[str], str]


def list_profiles(profiles: Sequence[Profile], boxes: Sequence[Middlebox], heading: Style = str) -> str:
    """A line for each: time/interval/count, or the seconds until an idle connection is forgotten or closed."""
    lines = [
        heading("Keepalive settings"),
        "tcp_keepalive_time / tcp_keepalive_intvl in seconds / tcp_keepalive_probes",
        "(system: from the operating system; ?: unknown; n: any value, the same in both places)",
        "",
        heading(f"{'settings':24} name, versions"),
        *(f"{_settings(one):24} {one.name}, {one.versions}" for one in profiles),
        "",
        heading("Idle timeouts"),
        "of devices and programs that forget or close an idle connection",
        "",
        heading(f"{'seconds':24} name: on timeout"),
        *(f"{one.idle_timeout_s:<24} {one.name}: {one.on_expiry}" for one in boxes),
    ]
    return "\n".join(lines) + "\n"


def show_profiles(name: str, profiles: Sequence[Profile], boxes: Sequence[Middlebox], heading: Style = str) -> str:
    """All that is known of those with this name, or this word in it, else of those that contain it; empty if none."""
    whole = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    part = re.compile(re.escape(name), re.IGNORECASE)
    for wanted in (whole, part):
        parts = [_profile_text(one, heading) for one in _named(wanted, profiles)]
        parts += [_middlebox_text(one, heading) for one in _named(wanted, boxes)]
        if parts:
            return "\n".join(parts)
    return ""


def _named(wanted: re.Pattern[str], known: Sequence[Known]) -> list[Known]:
    return [one for one in known if wanted.search(one.name)]


def _settings(profile: Profile) -> str:
    """`7200/75/9`, and the length of the probe where it is not 0."""
    text = settings_text(profile.settings)
    return text + (f" {profile.probe_length} byte" if profile.probe_length else "")


def _profile_text(one: Profile, heading: Style) -> str:
    fields = {
        "settings": _settings(one),
        "versions": one.versions,
        "on by default": "yes" if one.on_by_default else "no",
        "set by": one.set_by,
        "source": one.source,
        "confidence": CONFIDENCE.get(one.sure, "low"),
    }
    return _text(heading(one.name), fields)


def _middlebox_text(one: Middlebox, heading: Style) -> str:
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
    return _text(heading(one.name), fields)


def _text(name: str, fields: dict[str, Any]) -> str:
    lines = [name]
    for field, value in fields.items():
        head = f"  {field:18}"
        lines += textwrap.wrap(str(value), WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [head]
    return "\n".join(lines) + "\n"
