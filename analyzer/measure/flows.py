"""One connection's columns as a Flow, for output and for the rules that have chosen it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analyzer.measure.episodes import LazyEpisodes, form_of
from analyzer.measure.heartbeats import make_heartbeats
from analyzer.measure.settings.estimate import SettingsOnDemand
from analyzer.model.columns import Facts
from analyzer.model.flows import MIDDLEBOX, SIDES, Ending, Endpoint, Flow, Keepalive
from analyzer.model.words import Handshake, How, ProbeKind, Why
from analyzer.tables.arrays import Column, in_order
from analyzer.tables.fields import (
    BEAT,
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
    KNOWN,
    KNOWN_TUNNEL,
    LOW_HI,
    LOW_LO,
    PACKETS,
    RESENT,
    RESET_FRAME,
    ROLES,
    SAW_SYN,
    STATE,
    TUNNEL_GENEVE,
    TUNNEL_GRE,
    TUNNEL_KIND,
    TUNNEL_VXLAN,
)
from analyzer.tcp import State

Match = Callable[[Keepalive], tuple[str, ...]]
Matcher = Callable[[int], Match]
WORD = (1 << 64) - 1
MAPPED = 0xFFFF
STATES = tuple(State)  # looking one up is several times faster than State(number)
HANDSHAKES = tuple(Handshake)
HOWS = tuple(How)
WHYS = tuple(Why)
TUNNELS = {TUNNEL_VXLAN: "vxlan", TUNNEL_GENEVE: "geneve", TUNNEL_GRE: "gre"}


class KeepaliveRows(NamedTuple):
    """Keepalive rows of the probe log, gathered by endpoint (stream * 2 + side): first[i] to before first[i + 1]."""

    rows: Column
    first: Column
    settings: SettingsOnDemand


def gather_keepalives(facts: Facts) -> KeepaliveRows:
    """All of them at once: one by one, a large capture's would take a second."""
    # As few and as narrow arrays at a time as it goes: this is when memory is at its highest.
    rows = np.flatnonzero(facts.probe_kind == ProbeKind.KEEPALIVE)
    rows = rows[in_order(facts.prober[rows])]
    first = np.zeros(2 * len(facts) + 1, np.int64)
    np.cumsum(facts.probes, out=first[1:])
    return KeepaliveRows(rows, first, SettingsOnDemand(facts, rows, first))


def make_flow(facts: Facts, keepalives: KeepaliveRows, stream: int, verdict: str, matcher: Matcher) -> Flow:
    """The Flow of one stream, with the verdict that it was given; `matcher` tells defaults of a server's port."""
    head = facts.tracks.flows[stream].tolist()
    client, server = endpoints_of(head)
    x, y = HEAD_SIZE, HEAD_SIZE + ENDPOINT_SIZE
    by = int(facts.by[stream])
    ended = int(facts.ended[stream])
    why = WHYS[facts.why[stream]]
    how = HOWS[facts.how[stream]]
    state = [STATES[head[x + STATE]], STATES[head[y + STATE]]]
    if how is How.TIMEOUT:
        state[by - 1] = State.UNKNOWN  # gone, or silent for another reason: silence does not show which
    if facts.forged[stream]:
        state[by - 1] = State.UNKNOWN  # it never sent that RST
    gave_up = why is Why.KEEPALIVE_EXHAUSTED
    if gave_up and (facts.reset[stream, 2 - by] > 1 or head[(y if by == 1 else x) + RESENT] > 0):
        state[2 - by] = State.UNKNOWN  # it had not heard the RST to what it sent first: who knows of the last
    ender = MIDDLEBOX if facts.forged[stream] else SIDES[by - 1] if by else None
    rtt = head[HANDSHAKE_RTT]
    probed = facts.probes[stream].any()  # the log's word: an endpoint forgets its last probe where a SYN begins anew
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
        ending=Ending(how, ender, ended or None, why, head[RESET_FRAME] or None),
        verdict=verdict,
        keepalive=tuple(_keepalives(facts, keepalives, stream, by - 1 if gave_up else None, matcher(server.port)))
        if probed
        else (),
        heartbeats=make_heartbeats(facts, stream, head) if head[x + BEAT] or head[y + BEAT] else (),
        zero_window_probes=tuple(facts.zero_window_probes[stream].tolist()),
        tunnel=tunnel_name(head[x + KNOWN] >> KNOWN_TUNNEL or head[y + KNOWN] >> KNOWN_TUNNEL),
    )


def _keepalives(
    facts: Facts, keepalives: KeepaliveRows, stream: int, gave_up: int | None, match: Match
) -> Iterator[Keepalive]:
    """What each side of a connection probed; `gave_up` is the side that ended it so."""
    bounds = keepalives.first[stream * 2 : stream * 2 + 3].tolist()
    for side, (first, end) in enumerate(pairwise(bounds)):
        if first == end:
            continue
        rows = facts.tracks.probes[keepalives.rows[first:end]]
        answered, reset = int(facts.answered[stream, side]), int(facts.reset[stream, side])
        yield Keepalive(
            sender=SIDES[side],
            probes=end - first,
            answered=answered,
            unanswered=end - first - answered - reset,
            reset=reset,
            icmp=int(facts.icmp[stream, side]),
            **form_of(rows)._asdict(),
            episodes=LazyEpisodes(rows, gave_up == side),
            **keepalives.settings.of(stream, side)._asdict(),
            match=match,
        )


def tunnel_name(tunnel: int) -> str | None:
    """The kind and id of a tunnel, from tables.fields.TUNNEL; None outside of any."""
    return f"{TUNNELS[tunnel >> TUNNEL_KIND]} {tunnel & ((1 << TUNNEL_KIND) - 1)}" if tunnel else None


def endpoints_of(head: list[int]) -> tuple[Endpoint, Endpoint]:
    """Client and server, from the key of the flow table."""
    low = Endpoint(address_text(head[LOW_HI], head[LOW_LO]), head[KEY_PORTS] >> 16)
    high = Endpoint(address_text(head[HIGH_HI], head[HIGH_LO]), head[KEY_PORTS] & 0xFFFF)
    return (low, high) if head[ROLES] & CLIENT_IS_LOW else (high, low)


@lru_cache(1 << 12)  # the few hosts of one moment, again and again
def address_text(high: int, low: int) -> str:
    """An address from its two halves, IPv4 in dotted decimals."""
    if high == 0 and low >> 32 == MAPPED:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return str(ipaddress.IPv6Address((high & WORD) << 64 | (low & WORD)))
