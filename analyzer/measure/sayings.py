"""What ends say of heartbeats: how often they are to come, and that they close for want of them."""

from __future__ import annotations

from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Said
from analyzer.tables.fields import (
    EVENT_COUNT,
    EVENT_ENDPOINT,
    EVENT_FRAME,
    EVENT_KIND,
    EVENT_SAID,
    EVENT_TIME,
    EVENT_WHY,
)
from analyzer.tables.heartbeats import INTERVAL, SAID


def make_sayings(facts: Facts, stream: int) -> tuple[Said, ...]:
    """What was said on one connection, in order."""
    events = facts.events_of(stream)
    return tuple(_said(row) for row in events[events[:, EVENT_KIND] == EVENT_SAID].tolist())


def _said(row: list[int]) -> Said:
    words = SAID[row[EVENT_WHY] - 1]
    return Said(
        what=words.what,
        protocol=words.protocol,
        by=SIDES[row[EVENT_ENDPOINT] & 1],
        words=words.words,
        seconds=row[EVENT_COUNT] / words.per_second if words.what == INTERVAL else None,
        frame=row[EVENT_FRAME],
        time=row[EVENT_TIME],
    )
