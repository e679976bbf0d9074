"""One connection's columns as a Flow, for output and for the rules that have chosen it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analyzer.measure.episodes import Form, LazyEpisodes, form_of
from analyzer.measure.heartbeats import make_heartbeats
from analyzer.measure.sayings import make_sayings
from analyzer.measure.settings.estimate import STREAMS_AT_A_TIME, Settings, settings_in_turn
from analyzer.model.columns import Facts
from analyzer.model.flows import MIDDLEBOX, SIDES, Ending, Endpoint, Flow, Keepalive
from analyzer.model.words import Handshake, How, ProbeKind, Why
from analyzer.tables.arrays import Column, Mask, in_order
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
KEY_SIZE = HIGH_HI + 1
# Words of the flow table that a _Row has: one by one, and in pairs.
FIELDS = [FIRST_TIME, END_TIME, HANDSHAKE, HANDSHAKE_RTT, RESET_FRAME]
PAIRS = [[HEAD_SIZE + x, HEAD_SIZE + ENDPOINT_SIZE + x] for x in (STATE, PACKETS, BYTES, RESENT, KNOWN, BEAT)]
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


def gather_keepalives(facts: Facts) -> KeepaliveRows:
    """All of them at once: one by one, a large capture's would take a second."""
    # As few and as narrow arrays at a time as it goes: this is when memory is at its highest.
    rows = np.flatnonzero(facts.probe_kind == ProbeKind.KEEPALIVE)
    rows = rows[in_order(facts.prober[rows])]
    first = np.zeros(2 * len(facts) + 1, np.int64)
    np.cumsum(facts.probes, out=first[1:])
    return KeepaliveRows(rows, first)


def first_form(facts: Facts, keepalives: KeepaliveRows, stream: int, side: int) -> Form:
    """The form of the keepalive probes of one end of a connection."""
    first, end = keepalives.first[2 * stream + side : 2 * stream + side + 2].tolist()
    return form_of(facts.tracks.probes[keepalives.rows[first:end]])


class _Row(NamedTuple):
    """What the columns say of one connection; pairs are (client, server)."""

    stream: int
    verdict: str
    probed: bool  # the log's word: an endpoint forgets its last probe where a SYN begins anew
    key: list[int]
    start: int
    end: int
    seen: int  # HANDSHAKE
    rtt: int
    reset_frame: int
    state: list[int]
    packets: list[int]
    bytes: list[int]
    resent: list[int]
    known: list[int]
    beat: list[int]
    handshake: int
    how: int
    by: int
    why: int
    forged: bool
    ended: int
    reset: list[int]
    zero_window_probes: list[int]

    @property
    def gave_up(self) -> bool:
        """Whether it ended by the keepalive timer of its ender."""
        return self.why == Why.KEEPALIVE_EXHAUSTED


def make_flows(
    facts: Facts, keepalives: KeepaliveRows, streams: Column, verdicts: Sequence[str], matcher: Matcher
) -> Iterator[Flow]:
    """The Flows of these streams, one by one, in their order; columns are read for some hundred at a time.

    `verdicts` are those that they were given, and `matcher` tells known defaults by a server's port.
    """
    probed = np.asarray(facts.probes[streams].any(axis=1))
    settings = settings_in_turn(facts, *keepalives, streams[probed])
    for start in range(0, len(streams), STREAMS_AT_A_TIME):
        part = slice(start, start + STREAMS_AT_A_TIME)
        for row in _rows(facts, streams[part], verdicts[part], probed[part]):
            ends = endpoints_of(row.key)
            known = next(settings) if row.probed else None
            yield _flow(row, ends, facts, _keepalives(facts, keepalives, row, known, matcher(ends[1].port)))


def _rows(facts: Facts, streams: Column, verdicts: Sequence[str], probed: Mask) -> Iterator[_Row]:
    """What the columns say of these streams."""
    table = facts.tracks.flows[streams]
    own = (facts.handshake, facts.how, facts.by, facts.why, facts.forged, facts.ended)
    measured = [*(one[streams].tolist() for one in own), facts.reset[streams].tolist()]
    measured.append(facts.zero_window_probes[streams].tolist())
    words = (table[:, fields].tolist() for fields in (slice(KEY_SIZE), FIELDS, PAIRS))
    told = zip(streams.tolist(), verdicts, probed.tolist(), strict=True)
    for one, key, fields, pairs, others in zip(told, *words, zip(*measured, strict=True), strict=True):
        yield _Row._make((*one, key, *fields, *pairs, *others))


def _flow(row: _Row, ends: tuple[Endpoint, Endpoint], facts: Facts, keepalive: tuple[Keepalive, ...]) -> Flow:
    client, server = ends
    by, why, how = row.by, WHYS[row.why], HOWS[row.how]
    state = [STATES[number] for number in row.state]
    if how is How.TIMEOUT:
        state[by - 1] = State.UNKNOWN  # gone, or silent for another reason: silence does not show which
    if row.forged:
        state[by - 1] = State.UNKNOWN  # it never sent that RST
    if row.gave_up and (row.reset[2 - by] > 1 or row.resent[2 - by] > 0):
        state[2 - by] = State.UNKNOWN  # it had not heard the RST to what it sent first: who knows of the last
    ender = MIDDLEBOX if row.forged else SIDES[by - 1] if by else None
    return Flow(
        stream=row.stream,
        client=client,
        server=server,
        roles="handshake" if row.seen & SAW_SYN else "guess",
        start=row.start,
        end=row.end,
        packets=(row.packets[0], row.packets[1]),
        bytes=(row.bytes[0], row.bytes[1]),
        handshake=HANDSHAKES[row.handshake],
        handshake_rtt=row.rtt if row.rtt >= 0 else None,
        state=(state[0], state[1]),
        ending=Ending(how, ender, row.ended or None, why, row.reset_frame or None),
        verdict=row.verdict,
        keepalive=keepalive,
        heartbeats=make_heartbeats(facts, row.stream) if any(row.beat) else (),
        zero_window_probes=tuple(row.zero_window_probes),
        tunnel=tunnel_name(row.known[0] >> KNOWN_TUNNEL or row.known[1] >> KNOWN_TUNNEL),
        said=make_sayings(facts, row.stream) if row.stream in facts.saying else (),
        sockets=facts.held.get(row.stream, ()),
    )


def _keepalives(
    facts: Facts, keepalives: KeepaliveRows, row: _Row, known: tuple[Settings, int] | None, match: Match
) -> tuple[Keepalive, ...]:
    """What each side of a connection probed, and what is known of its settings; none where nobody did."""
    if known is None:
        return ()
    settings, place = known
    found, stream = [], row.stream
    for side, (first, end) in enumerate(pairwise(keepalives.first[2 * stream : 2 * stream + 3].tolist())):
        if first == end:
            continue
        probes = facts.tracks.probes[keepalives.rows[first:end]]
        answered = int(facts.answered[stream, side])
        found.append(
            Keepalive(
                sender=SIDES[side],
                probes=end - first,
                answered=answered,
                unanswered=end - first - answered - row.reset[side],
                reset=row.reset[side],
                icmp=int(facts.icmp[stream, side]),
                **form_of(probes)._asdict(),
                episodes=LazyEpisodes(probes, row.gave_up and row.by - 1 == side),
                **settings.of(2 * place + side)._asdict(),
                match=match,
            )
        )
    return tuple(found)


def tunnel_name(tunnel: int) -> str | None:
    """The kind and id of a tunnel, from tables.fields.TUNNEL; None outside of any."""
    return f"{TUNNELS[tunnel >> TUNNEL_KIND]} {tunnel & ((1 << TUNNEL_KIND) - 1)}" if tunnel else None


def endpoints_of(head: list[int]) -> tuple[Endpoint, Endpoint]:
    """Client and server, from the first KEY_SIZE words of a row of the flow table."""
    low = Endpoint(address_text(head[LOW_HI], head[LOW_LO]), head[KEY_PORTS] >> 16)
    high = Endpoint(address_text(head[HIGH_HI], head[HIGH_LO]), head[KEY_PORTS] & 0xFFFF)
    return (low, high) if head[ROLES] & CLIENT_IS_LOW else (high, low)


@lru_cache(1 << 12)  # the few hosts of one moment, again and again
def address_text(high: int, low: int) -> str:
    """An address from its two halves, IPv4 in dotted decimals."""
    if high == 0 and low >> 32 == MAPPED:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return str(ipaddress.IPv6Address((high & WORD) << 64 | (low & WORD)))
