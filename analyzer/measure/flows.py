"""One connection's columns as a Flow, for output and for the rules that have chosen it."""

from __future__ import annotations

import ipaddress

import numpy as np

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
    LAST_PROBE,
    LOW_HI,
    LOW_LO,
    PACKETS,
    PROBE_BEFORE,
    RESET_FRAME,
    ROLES,
    SAW_SYN,
    STATE,
)
from analyzer.measure.episodes import make_keepalive
from analyzer.model import SIDES, Column, Ending, Endpoint, Facts, Flow, Handshake, How, ProbeKind, Why
from analyzer.tcp import State

WORD = (1 << 64) - 1
MAPPED = 0xFFFF
STATES = tuple(State)  # looking one up is several times faster than State(number)
HANDSHAKES = tuple(Handshake)
HOWS = tuple(How)
WHYS = tuple(Why)
GAVE_UP = (Why.KEEPALIVE_EXHAUSTED, Why.USER_TIMEOUT)


def make_flow(facts: Facts, stream: int, verdict: str) -> Flow:
    """The Flow of one stream, with the verdict that it was given."""
    head = facts.tracks.flows[stream].tolist()
    client, server = _endpoints(head)
    x, y = HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE
    by = int(facts.by[stream])
    ended = int(facts.ended[stream])
    why = WHYS[facts.why[stream]]
    how = HOWS[facts.how[stream]]
    state = [STATES[head[x + STATE]], STATES[head[y + STATE]]]
    if how is How.TIMEOUT:
        state[by - 1] = State.UNKNOWN  # gone, or silent for another reason: silence does not show which
    rtt = head[HANDSHAKE_RTT]
    keepalive = []
    for side, last in enumerate((head[x + LAST_PROBE], head[y + LAST_PROBE])):
        if last and len(rows := probe_rows(facts, last)):
            keepalive.append(make_keepalive(side, rows, why in GAVE_UP and by == side + 1))
    return Flow(
        stream=stream,
        client=client,
        server=server,
        roles="handshake" if head[HANDSHAKE] & SAW_SYN else "guess",
        start=head[FIRST_TIME],
        end=head[END_TIME],
        packets=(head[x + PACKETS], head[y + PACKETS]),
        bytes=(head[x + BYTES], head[y + BYTES]),
        handshake=HANDSHAKES[facts.handshake[stream]],
        handshake_rtt=rtt if rtt >= 0 else None,
        state=(state[0], state[1]),
        ending=Ending(how, SIDES[by - 1] if by else None, ended or None, why, head[RESET_FRAME] or None),
        verdict=verdict,
        keepalive=tuple(keepalive),
        zero_window_probes=tuple(facts.zero_window_probes[stream].tolist()),
    )


def probe_rows(facts: Facts, last: int) -> Column:
    """One prober's keepalive rows of the probe log in order, found backwards from 1 + the row of its last probe."""
    rows = []
    before = facts.tracks.probes[:, PROBE_BEFORE]
    while last:
        rows.append(last - 1)
        last = before.item(last - 1)
    index = np.array(rows[::-1], np.int64)
    chosen: Column = facts.tracks.probes[index[facts.probe_kind[index] == ProbeKind.KEEPALIVE]]
    return chosen


def _endpoints(head: list[int]) -> tuple[Endpoint, Endpoint]:
    """Client and server, from the key of the flow table."""
    low = Endpoint(address_text(head[LOW_HI], head[LOW_LO]), head[KEY_PORTS] >> 16)
    high = Endpoint(address_text(head[HIGH_HI], head[HIGH_LO]), head[KEY_PORTS] & 0xFFFF)
    return (low, high) if head[ROLES] & CLIENT_IS_LOW else (high, low)


def address_text(high: int, low: int) -> str:
    """An address from its two halves, IPv4 in dotted decimals."""
    if high == 0 and low >> 32 == MAPPED:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return str(ipaddress.IPv6Address((high & WORD) << 64 | (low & WORD)))
