"""What is known of the world, not of a capture: keepalive settings and idle timeouts of systems and devices."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.model.flows import SETTINGS

Setting = int | str | None  # seconds or a count; "system", "n" (equal, whatever they are), "any"; None: not known


class Profile(NamedTuple):
    """Settings that something uses when nobody says otherwise."""

    name: str
    versions: str
    on_by_default: bool
    set_by: str
    source: str
    sure: str
    tcp_keepalive_time: Setting = None
    tcp_keepalive_intvl: Setting = None
    tcp_keepalive_probes: Setting = None
    probe_length: int = 0
    timestamps: bool = True  # its probes carry them where the connection does
    ports: tuple[int, ...] = ()  # of the services that it is or uses; none: of any

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Time, interval and count."""
        return tuple(getattr(self, field) for field in SETTINGS)


class Middlebox(NamedTuple):
    """A device or program between two ends, or one end, that ends or forgets what is idle for too long."""

    name: str
    kind: str
    idle_timeout_s: int
    on_expiry: str
    on_next_packet: str
    configurable: str
    source: str
    sure: str
    probes_refresh: bool | None = None
    ports: tuple[int, ...] = ()  # of the services that it stands for or is; none: of any
    side: str = "server"  # which end of the connection it is where it closes one
    drawn_as: str = ""  # what charts call those with this timeout; none: they do not show it

    @property
    def closes(self) -> bool:
        """Whether it says so with a FIN, as an end of the connection."""
        return "FIN" in self.on_expiry or "closes" in self.on_expiry

    def closes_as(self, side: str, port: int) -> bool:
        """Whether it may be that end of a connection to a service on this port."""
        return side == self.side and (not self.ports or port in self.ports)
