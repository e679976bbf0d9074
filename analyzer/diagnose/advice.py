"""Advice that is computed: how long detection takes with the settings seen, which to propose, and how to set them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from analyzer.diagnose.phrases import named
from analyzer.diagnose.systems import is_windows, windows_settings
from analyzer.knowledge.snippets import Timing, snippets_for
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Estimate, Flow, Keepalive
from analyzer.model.quantities import several, whole_seconds

# Quick enough for nearly everybody, and rare enough for phones and firewalls. What is as quick needs no change.
USUAL = Timing(60, 10, 3)
# Linux's defaults, 7200 s, 75 s and 9: what a dead peer takes with them.
DEFAULT_TAKES = "2 h 11 min"
# Timers fire late, never early: what took this much longer than the proposal is not slow.
LATE = 1.15
# RFC 1918.
PRIVATE = ("10.", "192.168.", *(f"172.{number}." for number in range(16, 32)))
MORE = "More programs: keepalive explain unprotected-idle."


class Takes(NamedTuple):
    """After how many seconds of silence a dead peer is detected: at least, and at most where that is known."""

    low: float
    high: float | None

    def __str__(self) -> str:
        if self.high is None:
            return f"at least {whole_seconds(self.low)}"
        low, high = whole_seconds(self.low), whole_seconds(self.high)
        return low if low == high else f"{low} to {high}"


def _bounds(setting: Estimate | None) -> tuple[float, float | None]:
    if setting is None:
        return 0, None
    if setting.value is not None:
        return setting.value, setting.value
    return setting.low or 0, setting.high


def takes(entry: Keepalive, asked: int) -> Takes | None:
    """What is known of its settings says so; `asked` is how many probes in a row it sent without a reply."""
    if entry.tcp_keepalive_time is None:
        return None
    idle, interval = _bounds(entry.tcp_keepalive_time), _bounds(entry.tcp_keepalive_intvl)
    count = _bounds(entry.tcp_keepalive_probes)
    low = idle[0] + interval[0] * max(count[0], asked)
    if idle[1] is None or interval[1] is None or count[1] is None:
        return Takes(low, None)
    return Takes(low, idle[1] + interval[1] * count[1])


def settings(entry: Keepalive) -> str:
    """What is known of its settings: `idle 3 s, interval 2 s, 4 probes`; nothing where nothing is."""
    parts = []
    for name, one in (("idle", entry.tcp_keepalive_time), ("interval", entry.tcp_keepalive_intvl)):
        low, high = _bounds(one)
        if high is not None:
            parts.append(f"{name} {Takes(low, high)}")
    count = _bounds(entry.tcp_keepalive_probes)[1]
    if count is not None:
        parts.append(several(round(count), "probe"))
    return ", ".join(parts)


def proposed(safe_idle: int) -> Timing:
    """Settings to propose: the usual ones, or those that devices on the path leave: one of `Context.safe_idle`."""
    idle = min(USUAL.idle, int(safe_idle))
    return Timing(idle, min(USUAL.interval, idle), USUAL.probes)


def is_slow(detected: Takes | None) -> bool:
    """Whether the usual settings are known to detect a dead peer sooner."""
    return detected is not None and detected.low > USUAL.total * LATE


def sides_to_set(flow: Flow) -> tuple[str, ...]:
    """Who may be configured by the reader: not a public server that was captured near a private client."""
    return SIDES[:1] if _is_public(flow.server.address) and not _is_public(flow.client.address) else SIDES


@lru_cache(1 << 10)
def _is_public(address: str) -> bool:
    if address.startswith(PRIVATE):  # most are, and to ask takes longer
        return False
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def how_to_set(facts: Facts, flow: Flow, timing: Timing, sides: Sequence[str] = SIDES) -> str:
    """Sentences that say how to have these settings at these sides, in the configuration of what is likely there."""
    mine, parts = sides_to_set(flow), []
    said = {side: _settings_there(facts, flow, timing, side) for side in sides if side in mine}
    if len(said) == len(SIDES) and len(set(said.values())) == 1:
        parts.append(f"On either side: {said[SIDES[0]]}.")
    else:
        parts += [f"On the {side} ({named(flow, side)}): {how}." for side, how in said.items()]
    if len(said) < len(sides):
        parts.append(f"Only the owner of {flow.server} can configure the server.")
    elif said:
        parts.append(MORE)
    return " ".join(parts)


def _settings_there(facts: Facts, flow: Flow, timing: Timing, side: str) -> str:
    port = flow.server.port
    if is_windows(facts, flow, SIDES.index(side)):
        return windows_settings(port, timing)
    return _settings_by_port(port, side, timing)


@lru_cache(1 << 8)  # a service's connections have one remedy
def _settings_by_port(port: int, side: str, timing: Timing) -> str:
    likely = [one.text(timing, port) for one in snippets_for(port, side)]
    general = (
        f"SO_KEEPALIVE with TCP_KEEPIDLE={timing.idle}, TCP_KEEPINTVL={timing.interval}, TCP_KEEPCNT={timing.probes}"
    )
    return "; ".join([*likely, f"{'other programs' if likely else 'any program'}: {general}"])


def user_timeout(flow: Flow, side: str, entry: Keepalive | None = None) -> str:
    """What to set on the socket of this side, where data is unacknowledged: as long as its keepalive would take."""
    if side not in sides_to_set(flow):
        return f"Only the owner of {flow.server} can set a time limit (TCP_USER_TIMEOUT) there."
    needs = takes(entry, 0) if entry is not None else None
    wait = USUAL.total if needs is None or needs.high is None else max(1, round(needs.high))
    why = f", the {wait} s that its keepalive needs" if needs is not None and needs.high is not None else ""
    return (
        f"Set TCP_USER_TIMEOUT to {wait * 1000} ms on the socket of {named(flow, side)}{why}, or a deadline for each "
        "request. On Linux the default, net.ipv4.tcp_retries2=15, waits at least 15 min."
    )
