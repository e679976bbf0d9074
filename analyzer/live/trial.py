"""A finding that is none, for a command to be tried out with."""

from __future__ import annotations

from analyzer.model.events import FINDING, Event
from analyzer.model.findings import Evidence, Finding
from analyzer.model.flows import Endpoint

# Addresses for documentation (RFC 5737).
CLIENT, SERVER = Endpoint("192.0.2.10", 40001), Endpoint("198.51.100.20", 5432)


def trial_event(now: int) -> Event:
    """As of a dead peer; its id, its rule and its words say that it is a test."""
    finding = Finding(
        rule="test",
        severity="high",
        confidence="certain",
        stream=0,
        summary=f"This is a test: {SERVER} is not dead",
        remedy="Nothing is to be done.",
        evidence=Evidence((), "nothing", "nothing", "keepalive live --test-hook", "frame"),
        service=str(SERVER),
    )
    return Event(FINDING, now, 0, CLIENT, SERVER, {"id": f"test-{now}"}, finding)
