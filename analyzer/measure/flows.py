"""One connection's columns as a Flow, for output and for the rules that have chosen it."""

from __future__ import annotations

import ipaddress

from analyzer.layout import (
    BYTES,
    CLIENT_IS_LOW,
    END_TIME,
    ENDPOINT_SIZE,
    FIRST_TIME,
    HANDSHAKE,
    HANDSHAKE_RTT,
    HEAD_SIZE,
    HIGH_HI,
    HIGH_LO,
    KEY_PORTS,
    LOW_HI,
    LOW_LO,
    PACKETS,
    SAW_SYN,
    STATE,
)
from analyzer.measure.episodes import make_keepalive
from analyzer.model import SIDES, Column, Ending, Endpoint, Facts, Flow, Handshake, How, Why
from analyzer.tcp import State

WORD = (1 << 64) - 1
MAPPED = 0xFFFF
GAVE_UP = (Why.KEEPALIVE_EXHAUSTED, Why.USER_TIMEOUT)


def make_flow(facts: Facts, stream: int, verdict: str, rows: tuple[Column, Column]) -> Flow:
    """The Flow of one stream; `rows` are the keepalive rows of the probe log of its client and its server."""
    head = facts.tracks.flows[stream].tolist()
    client, server = _endpoints(head)
    x, y = HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE
    by = int(facts.by[stream])
    ended = int(facts.ended[stream])
    rtt = head[HANDSHAKE_RTT]
    return Flow(
        stream=stream,
        client=client,
        server=server,
        roles="handshake" if head[HANDSHAKE] & SAW_SYN else "guess",
        start=head[FIRST_TIME],
        end=head[END_TIME],
        packets=(head[x + PACKETS], head[y + PACKETS]),
        bytes=(head[x + BYTES], head[y + BYTES]),
        handshake=Handshake(int(facts.handshake[stream])),
        handshake_rtt=rtt if rtt >= 0 else None,
        state=(State(head[x + STATE]), State(head[y + STATE])),
        ending=Ending(
            How(int(facts.how[stream])), SIDES[by - 1] if by else None, ended or None, Why(int(facts.why[stream]))
        ),
        verdict=verdict,
        keepalive=tuple(
            make_keepalive(side, rows[side], facts.why[stream] in GAVE_UP and by == side + 1)
            for side in (0, 1)
            if len(rows[side])
        ),
        zero_window_probes=(int(facts.zero_window_probes[stream, 0]), int(facts.zero_window_probes[stream, 1])),
    )


def _endpoints(head: list[int]) -> tuple[Endpoint, Endpoint]:
    """Client and server, from the key of the flow table."""
    low = Endpoint(address_text(head[LOW_HI], head[LOW_LO]), head[KEY_PORTS] >> 16)
    high = Endpoint(address_text(head[HIGH_HI], head[HIGH_LO]), head[KEY_PORTS] & 0xFFFF)
    return (low, high) if head[CLIENT_IS_LOW] else (high, low)


def address_text(high: int, low: int) -> str:
    """An address from its two halves, IPv4 in dotted decimals."""
    if high == 0 and low >> 32 == MAPPED:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return str(ipaddress.IPv6Address((high & WORD) << 64 | (low & WORD)))
