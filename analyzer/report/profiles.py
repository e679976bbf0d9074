"""The known settings and idle timeouts for a reader: `keepalive profiles`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from analyzer.knowledge.profiles import Middlebox, Profile
from analyzer.report.phrases import settings_text

WIDTH = 100


def list_profiles(profiles: Sequence[Profile], boxes: Sequence[Middlebox]) -> str:
    """A line for each: time/interval/count, or seconds until an idle connection is forgotten or closed."""
    lines = [
        "tcp_keepalive_time/_intvl/_probes (system: the operating system's; ?: unknown; n: any, both the same)",
        "",
    ]
    lines += [f"{_settings(one):24} {one.name}, {one.versions}" for one in profiles]
    lines += ["", "Idle timeouts, in seconds", ""]
    lines += [f"{one.idle_timeout_s:<24} {one.name}: {one.on_expiry}" for one in boxes]
    return "\n".join(lines) + "\n"


def show_profiles(name: str, profiles: Sequence[Profile], boxes: Sequence[Middlebox]) -> str:
    """All that is known of those whose names contain this; empty where there is none."""
    parts = [_profile_text(one) for one in profiles if name.lower() in one.name.lower()]
    parts += [_middlebox_text(one) for one in boxes if name.lower() in one.name.lower()]
    return "\n".join(parts)


def _settings(profile: Profile) -> str:
    """`7200/75/9`, and the length of the probe where it is not 0."""
    text = settings_text(profile.settings)
    return text + (f" {profile.probe_length} octet" if profile.probe_length else "")


def _profile_text(one: Profile) -> str:
    fields = {
        "settings": _settings(one),
        "versions": one.versions,
        "on by default": "yes" if one.on_by_default else "no",
        "set by": one.set_by,
        "source": one.source,
        "sure": one.sure,
    }
    return _text(one.name, fields)


def _middlebox_text(one: Middlebox) -> str:
    refresh = {None: "unknown", True: "yes", False: "no"}[one.probes_refresh]
    fields = {
        "idle timeout": f"{one.idle_timeout_s} s",
        "when it is over": one.on_expiry,
        "what comes then": one.on_next_packet,
        "probes refresh it": refresh,
        "configurable": one.configurable,
        "source": one.source,
        "sure": one.sure,
    }
    return _text(one.name, fields)


def _text(name: str, fields: dict[str, Any]) -> str:
    lines = [name]
    for field, value in fields.items():
        head = f"  {field:18}"
        lines += textwrap.wrap(str(value), WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [head]
    return "\n".join(lines) + "\n"
