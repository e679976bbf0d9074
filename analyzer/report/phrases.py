"""What is said of a connection in several places of the output: its settings, and why it was reset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from analyzer.model.flows import Estimate
from analyzer.model.words import Why


class Reason(NamedTuple):
    """Why a connection was reset: as a word for a cell or a remark, and as what follows `reset by the client`."""

    word: str
    clause: str


REASONS = {
    Why.NONE: Reason("", ""),
    Why.KEEPALIVE_EXHAUSTED: Reason("keepalive exhausted", ": its keepalive was exhausted"),
    Why.REPLY_TO_PROBE: Reason("reply to probe", ", in answer to a probe"),
    Why.REPLY_TO_DATA: Reason("reply to data", ", in answer to data"),
    Why.ABORT: Reason("abort", ": its application aborted"),
}


# Bounds closer than this are as good as a value to a reader.
NARROW = 1.1


class HasSettings(Protocol):
    """What has the three settings: a Keepalive, HostSettings."""

    @property
    def tcp_keepalive_time(self) -> Estimate | None:
        """Seconds."""

    @property
    def tcp_keepalive_intvl(self) -> Estimate | None:
        """Seconds."""

    @property
    def tcp_keepalive_probes(self) -> Estimate | None:
        """How many."""


def settings_text(values: Iterable[float | str | None]) -> str:
    """tcp_keepalive_time, _intvl and _probes: `3/2/4`, `30/?/?`."""
    return "/".join("?" if value is None else value if isinstance(value, str) else f"{value:g}" for value in values)


def setting_values(entry: HasSettings) -> list[float | str | None]:
    """The likeliest value of each of the three, `~9.7` where narrow bounds alone are known, None where nothing is."""
    return [_value(one) for one in (entry.tcp_keepalive_time, entry.tcp_keepalive_intvl, entry.tcp_keepalive_probes)]


def _value(estimate: Estimate | None) -> float | str | None:
    if estimate is None or estimate.value is not None:
        return None if estimate is None else estimate.value
    low, high = estimate.low, estimate.high
    return f"~{(low + high) / 2:.2g}" if low and high and high < NARROW * low else None
