"""What happens while a capture goes on: one Event for each thing worth a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from analyzer.model.findings import Finding
from analyzer.model.flows import Endpoint


class Event(NamedTuple):
    """One thing that happened: `kind` is a word from below or a verdict's, with hyphens; times in nanoseconds."""

    kind: str
    time: int
    stream: int | None  # None, as are its ends, of what is about several connections, or the capture
    client: Endpoint | None
    server: Endpoint | None
    facts: Mapping[str, int | str | None] = {}  # what else belongs to it: `frame`, `sender`, ...
    finding: Finding | None = None
    trouble: str = "info"  # how urgent it is, unless it is a finding, which says so itself

    @property
    def severity(self) -> str:
        """How urgent it is."""
        return self.trouble if self.finding is None else self.finding.severity


OPENED, SEEN, CLOSED, RESET = "connection-opened", "connection-seen", "closed", "reset"  # SEEN: it was open before
PROBE, ANSWERED, UNANSWERED = "probe", "answered", "unanswered"
FINDING, WITHDRAWN, RECOVERED = "finding", "withdrawn", "recovered"
# What happens to connections that are well.
ORDINARY = frozenset({OPENED, SEEN, CLOSED, PROBE, ANSWERED})
