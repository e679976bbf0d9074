"""Which connections are shown: selectors filter the output, never the analysis."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from analyzer.errors import UsageError
from analyzer.tables.fields import END_TIME, FIRST_TIME, HIGH_HI, HIGH_LO, KEY_PORTS, LOW_HI, LOW_LO
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.tables.arrays import Column, Mask

MAPPED = 0xFFFF << 32
HALF = 1 << 64


@dataclass(frozen=True)
class Selection:
    """What was asked for; an empty field selects everything."""

    streams: tuple[int, ...] = ()
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    verdicts: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None

    def check(self) -> None:
        """Raise UsageError for a host that is no address, an unknown verdict, or a time that cannot be read."""
        from analyzer.diagnose import VERDICTS

        known = [verdict.word for verdict in VERDICTS]
        for word in self.verdicts:
            if word not in known:
                raise UsageError(f"--verdict {word}: no such verdict; there are {', '.join(known)}")
        for host in self.hosts:
            parse_address(host)
        for time in (self.start, self.end):
            if time is not None:
                parse_time(time, 0)

    def streams_of(self, analysis: Analysis) -> list[int]:
        """The selected streams, in order; raises UsageError as `check` does."""
        import numpy as np

        flows = analysis.facts.tracks.flows
        chosen = np.ones(len(flows), bool)
        if self.streams:
            chosen &= np.isin(np.arange(len(flows)), self.streams)
        if self.hosts:
            chosen &= np.logical_or.reduce([_has_host(flows, host) for host in self.hosts])
        if self.ports:
            ports = flows[:, KEY_PORTS]
            chosen &= np.isin(ports >> 16, self.ports) | np.isin(ports & 0xFFFF, self.ports)
        first = min((c.first_time for c in analysis.captures if c.first_time is not None), default=0)
        if self.start is not None:
            chosen &= flows[:, END_TIME] >= parse_time(self.start, first)
        if self.end is not None:
            chosen &= flows[:, FIRST_TIME] <= parse_time(self.end, first)
        streams: list[int] = np.flatnonzero(chosen).tolist()
        if self.verdicts:
            streams = [stream for stream in streams if analysis.verdicts[stream] in self.verdicts]
        return streams


def parse_address(host: str) -> tuple[int, int]:
    """An IP address as the flow table has it: two signed halves.

    Raises UsageError for anything else; names are never looked up.
    """
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise UsageError(f"--host {host}: not an IP address (names are never looked up)") from error
    if address.version == 4:
        return 0, MAPPED | int(address)
    high, low = int(address) >> 64, int(address) & (HALF - 1)
    return (high - HALF if high >= HALF // 2 else high), (low - HALF if low >= HALF // 2 else low)


def _has_host(flows: Column, host: str) -> Mask:
    high, low = parse_address(host)
    at_low = (flows[:, LOW_HI] == high) & (flows[:, LOW_LO] == low)
    at_high = (flows[:, HIGH_HI] == high) & (flows[:, HIGH_LO] == low)
    mask: Mask = at_low | at_high
    return mask


def parse_time(text: str, first: int) -> int:
    """A time in nanoseconds: ISO 8601 (naive means local), UNIX seconds, or `+S` from the first packet.

    Raises UsageError for anything else.
    """
    if match := re.fullmatch(r"(\+?)(\d+)(?:\.(\d{1,9}))?", text):
        sign, whole, fraction = match.groups()
        value = int(whole) * SECOND + int((fraction or "0").ljust(9, "0"))
        return first + value if sign else value
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{text}: not a time; use 2026-01-31T12:00:00, UNIX seconds, or +S seconds") from error
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000
