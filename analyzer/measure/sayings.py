"""What ends say of heartbeats: how often they are to come, and that they close for want of them."""

from __future__ import annotations

from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Said
from analyzer.tables.fields import (
    EVENT_COUNT,
    EVENT_ENDPOINT,
    EVENT_FRAME,
    EVENT_SAID,
    EVENT_SINCE,
    EVENT_SINCE_PEER,
    EVENT_TIME,
    EVENT_WHY,
)
from analyzer.tables.heartbeats import INTERVAL, SAID, SAID_BY, SERVERS_SAY


def make_sayings(facts: Facts, stream: int) -> tuple[Said, ...]:
    """What was said on one connection, in order."""
    found = map(_said, facts.events_of_kind(stream, EVENT_SAID).tolist())
    return tuple(one for one in found if _may_say(one))


def _may_say(one: Said) -> bool:
    """Whether it is this end's to say: what a client writes in a mail is no word of the protocol."""
    side = SIDES.index(one.by)
    return SAID_BY.get(one.protocol, {}).get(one.words, side) == side and (side == 1 or one.protocol not in SERVERS_SAY)


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
        since=row[EVENT_SINCE] or None,
        since_peer=row[EVENT_SINCE_PEER] or None,
    )
