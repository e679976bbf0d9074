"""ICMP errors about a connection: which, from whom, how often."""

from __future__ import annotations

from typing import NamedTuple

from analyzer.model.columns import Facts
from analyzer.model.icmp import address_text, icmp_text
from analyzer.model.quantities import times
from analyzer.tables.fields import EVENT_COUNT, EVENT_FRAME, EVENT_ICMP, EVENT_KIND, EVENT_SINCE, EVENT_WHY


class PathError(NamedTuple):
    """ICMP errors of one kind from one sender."""

    says: str
    sender: str
    number: int
    frames: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.sender} replied {times(self.number)} with {self.says}"


def path_errors(facts: Facts, stream: int) -> list[PathError]:
    """Those about one connection, the most frequent first; at most as many as are logged of one."""
    found: dict[tuple[str, str], list[int]] = {}
    for event in facts.events_of(stream).tolist():
        if event[EVENT_KIND] == EVENT_ICMP:
            found.setdefault(
                (icmp_text(event[EVENT_WHY]), address_text(event[EVENT_SINCE], event[EVENT_COUNT])), []
            ).append(event[EVENT_FRAME])
    errors = [PathError(says, sender, len(frames), tuple(frames)) for (says, sender), frames in found.items()]
    return sorted(errors, key=lambda error: -error.number)
