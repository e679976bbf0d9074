"""What a live analysis counts, for Prometheus; `grafana.json` beside this file is a dashboard that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from analyzer.model.events import ANSWERED, CLOSED, FINDING, OPENED, PROBE, RESET, SEEN, UNANSWERED, Event
from analyzer.model.flows import SETTINGS, Estimate, Flow, HostSettings
from analyzer.model.status import Status

PREFIX = "keepalive"
COUNTED = {
    OPENED: ("connections_opened", "Connections whose SYN was captured"),
    SEEN: ("connections_already_open", "Connections that were open before their first captured packet"),
    CLOSED: ("connections_closed", "Connections that both ends closed"),
    RESET: ("connections_reset", "Connections that an RST ended"),
    PROBE: ("probes", "Keepalive probes"),
    ANSWERED: ("probes_answered", "Keepalive probes that were answered"),
    UNANSWERED: ("probes_unanswered", "Keepalive probes whose answer is overdue"),
}
DEAD = "dead-peer"
# Services with a series of their own: those that were probed first. A capture can show any number of them.
SERVICES = 50
OTHER = "other"


class Metrics:
    """Serves them to whoever asks, from a thread of its own."""

    def __init__(self, address: str, port: int) -> None:
        """Raises OSError when that address and port cannot be had."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

        registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        self._counted = {kind: counter(*about) for kind, about in COUNTED.items()}
        self._dead = counter("dead_peers", "Peers that stopped answering keepalive probes, by server", "service")
        self._services: set[str] = {OTHER}
        self._dead.labels(OTHER)
        self._findings = counter("findings", "What was found", "rule", "severity")
        self._totals = {
            "packets": counter("packets", "Packets read"),
            "dropped": counter("kernel_dropped_packets", "Packets that the kernel had no room for"),
            "left_open": counter("connections_left_open", "Connections that left memory before they ended"),
        }
        self._shown = dict.fromkeys(self._totals, 0)
        self._gauges = {
            "connections": gauge("connections", "Connections in memory"),
            "idle": gauge("idle_connections", "Open connections on which no packet passes"),
            "lag": gauge("lag_seconds", "How old the latest packet was when it was analysed"),
        }
        self._settings = gauge(
            "setting", "Settings that several connections of a host show together", "host", "side", "port", "name"
        )
        self._beating = gauge("heartbeat_connections", "Connections on which an end sends heartbeats", "protocol")
        self._server, self._thread = start_http_server(port, address, registry)

    @property
    def port(self) -> int:
        """Where it is served: the port that was asked for, or one that was free for 0."""
        return int(self._server.server_port)

    def note(self, events: Sequence[Event]) -> None:
        """Count events."""
        for kind, count in Counter(event.kind for event in events).items():
            if kind in self._counted:
                self._counted[kind].inc(count)
        for event in events:
            if event.kind in (PROBE, DEAD) and event.server is not None:
                self._dead.labels(self._service(str(event.server))).inc(event.kind == DEAD)
        for finding in (event.finding for event in events if event.kind == FINDING):
            if finding is not None:
                self._findings.labels(finding.rule, finding.severity).inc()

    def _service(self, server: str) -> str:
        """The label of a server; its series begins with 0 at the first probe, so that an increase is seen."""
        if len(self._services) <= SERVICES:
            self._services.add(server)
        return server if server in self._services else OTHER

    def update(self, status: Status) -> None:
        """Show how things stand."""
        for name, gauge in self._gauges.items():
            gauge.set(getattr(status, name))
        for name, total in self._totals.items():
            value = getattr(status, name)
            total.inc(max(value - self._shown[name], 0))
            self._shown[name] = value

    def show_settings(self, hosts: Iterable[HostSettings]) -> None:
        """Show these estimates, and no longer those that were shown."""
        self._settings.clear()
        for host in hosts:
            for name in SETTINGS:
                estimate: Estimate | None = getattr(host, name)
                if estimate is not None and estimate.value is not None:
                    self._settings.labels(host.address, host.sender, str(host.port), name).set(estimate.value)

    def show_heartbeats(self, flows: Iterable[Flow]) -> None:
        """Show on how many of these connections an end sends heartbeats, by their protocol or the guess at it."""
        self._beating.clear()
        names = Counter(name for flow in flows for name in {beats.name for beats in flow.heartbeats})
        for protocol, count in names.items():
            self._beating.labels(protocol).set(count)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
