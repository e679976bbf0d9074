"""Expand planned conversations into TCP segments: sequence numbers, timestamps and capture times."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from conversations import (
    CLIENT,
    HANDSHAKE_PACKETS,
    SECOND_NS,
    SERVER,
    Booleans,
    Integers,
    Table,
    packet_counts,
)

BLOCK_PACKETS = 1_000_000
MICROSECOND_NS, MILLISECOND_NS = 1_000, 1_000_000
SMALLEST_PAYLOAD = 40
MEAN_THINK_NS = 45 * SECOND_NS
# tcptrace takes a packet after four silent minutes for a new connection (NONREAL_LIVE_CONN_INTERVAL).
LONGEST_THINK_NS = 180 * SECOND_NS
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

# One row per packet, packed: ten million of them stay well below half a gigabyte.
SEGMENT = np.dtype(
    [
        ("time_ns", "i8"),
        ("connection", "u4"),
        ("seq", "u4"),
        ("ack", "u4"),
        ("tsval", "u4"),
        ("tsecr", "u4"),
        ("ip_id", "u2"),
        ("payload", "u2"),
        ("flags", "u1"),
        ("side", "u1"),
    ]
)


class Kind(IntEnum):
    """The part a packet plays in its conversation."""

    SYN = 0
    SYN_ACK = 1
    HANDSHAKE_ACK = 2
    REQUEST = 3
    RESPONSE = 4
    MORE_RESPONSE = 5
    RESPONSE_ACK = 6
    FIN = 7
    FIN_ACK = 8
    LAST_ACK = 9
    PROBE = 10
    PROBE_ANSWER = 11
    UNANSWERED_PROBE = 12
    RESET = 13


FROM_SERVER = (Kind.SYN_ACK, Kind.RESPONSE, Kind.MORE_RESPONSE, Kind.FIN_ACK)
PROBING = (Kind.PROBE, Kind.PROBE_ANSWER, Kind.UNANSWERED_PROBE, Kind.RESET)
FLAGS = {
    Kind.SYN: SYN,
    Kind.SYN_ACK: SYN | ACK,
    Kind.FIN: FIN | ACK,
    Kind.FIN_ACK: FIN | ACK,
    Kind.REQUEST: PSH | ACK,
    Kind.RESPONSE: PSH | ACK,
    Kind.MORE_RESPONSE: PSH | ACK,
    Kind.RESET: RST | ACK,
}
FLAGS_OF_KIND = np.array([FLAGS.get(kind, ACK) for kind in Kind], dtype=np.uint8)


def expand_plan(plan: Table, seed: int, largest_payload: int) -> Table:
    """Return all SEGMENT rows of a plan, grouped by connection and in order within each."""
    segments = np.empty(int(packet_counts(plan).sum()), dtype=SEGMENT)
    filled = 0
    for number, (first, last) in enumerate(connection_blocks(plan)):
        rng = np.random.default_rng([seed, 1 + number])
        block = expand_block(rng, plan[first:last], largest_payload)
        block["connection"] += np.uint32(first)
        segments[filled : filled + len(block)] = block
        filled += len(block)
    return segments


def connection_blocks(plan: Table) -> Iterator[tuple[int, int]]:
    """Yield ranges of connections of about BLOCK_PACKETS packets, which bounds the temporary arrays."""
    ends = np.cumsum(packet_counts(plan))
    cuts = np.searchsorted(ends, np.arange(0, ends[-1], BLOCK_PACKETS), side="right").tolist()
    limits = sorted({0, *cuts, len(plan)})
    yield from pairwise(limits)


def expand_block(rng: np.random.Generator, plan: Table, largest_payload: int) -> Table:
    """Return the SEGMENT rows of some connections."""
    counts = packet_counts(plan)
    first = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(plan)), counts)
    kinds = lay_out_kinds(plan, first, counts)
    side = sending_side(plan, owner, kinds)
    rows = np.empty(len(kinds), dtype=SEGMENT)
    rows["connection"], rows["side"], rows["flags"] = owner, side, FLAGS_OF_KIND[kinds]
    rows["payload"] = payload_lengths(rng, kinds, largest_payload)
    rows["time_ns"] = capture_times(rng, plan, first, owner, kinds)
    rows["tsval"] = plan["tsval"][owner, side] + rows["time_ns"] // MILLISECOND_NS
    sent = np.where(
        side == SERVER, running_totals(side == SERVER, first, owner), running_totals(side == CLIENT, first, owner)
    )
    rows["ip_id"] = plan["ip_id"][owner, side] + sent
    number_bytes(plan, first, owner, kinds, rows)
    return rows


def ranges(starts: Integers, counts: Integers, step: int = 1) -> Integers:
    """Return start, start + step, ... (count terms) of every pair, one after the other."""
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    terms: Integers = np.repeat(starts, counts) + step * within
    return terms


def running_totals(values: npt.NDArray[np.integer[Any] | np.bool_], first: Integers, owner: Integers) -> Integers:
    """Return per packet the sum of the values of the packets before it in its connection."""
    before = np.cumsum(values, dtype=np.int64) - values
    totals: Integers = before - before[first][owner]
    return totals


def lay_out_kinds(plan: Table, first: Integers, counts: Integers) -> npt.NDArray[np.uint8]:
    """Return the Kind of every packet: handshake, exchanges, probes, then a close, a reset or nothing."""
    kinds = np.full(counts.sum(), Kind.MORE_RESPONSE, dtype=np.uint8)
    for offset, kind in enumerate((Kind.SYN, Kind.SYN_ACK, Kind.HANDSHAKE_ACK)):
        kinds[first + offset] = kind
    body_at = first + HANDSHAKE_PACKETS
    starts, sizes = exchanges(body_at, plan["body"])
    kinds[starts], kinds[starts + 1] = Kind.REQUEST, Kind.RESPONSE
    kinds[starts + sizes - 1] = Kind.RESPONSE_ACK
    probes_at = body_at + plan["body"]
    pairs = ranges(probes_at, plan["answered_probes"], step=2)
    kinds[pairs], kinds[pairs + 1] = Kind.PROBE, Kind.PROBE_ANSWER
    unanswered_at = probes_at + 2 * plan["answered_probes"]
    kinds[ranges(unanswered_at, plan["unanswered_probes"])] = Kind.UNANSWERED_PROBE
    ends = first + counts
    kinds[ends[plan["unanswered_probes"] > 0] - 1] = Kind.RESET
    for offset, kind in ((3, Kind.FIN), (2, Kind.FIN_ACK), (1, Kind.LAST_ACK)):
        kinds[ends[plan["closes"]] - offset] = kind
    return kinds


def exchanges(body_at: Integers, body: Integers) -> tuple[Integers, Integers]:
    """Return start and packet count of every exchange: a request, one or more response segments, an ACK."""
    count = np.maximum(body // 4, 1)
    owner = np.repeat(np.arange(len(body)), count)
    number = ranges(np.zeros_like(count), count)
    sizes = body[owner] // count[owner] + (number < (body % count)[owner])
    # Neighbours trade a packet: the exchanges then differ while the sum of every connection stays.
    paired = (number | 1) < count[owner]
    trade = ((number // 2 + owner) % 2) * paired
    sizes += np.where(number % 2 == 0, trade, -trade)
    starts = body_at[owner] + running_totals(sizes, np.cumsum(count) - count, owner)
    return starts, sizes


def sending_side(plan: Table, owner: Integers, kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return CLIENT or SERVER for every packet; either may be the one that probes."""
    from_server = np.isin(kinds, FROM_SERVER)
    from_prober = np.isin(kinds, (Kind.PROBE, Kind.UNANSWERED_PROBE, Kind.RESET))
    prober = plan["prober"][owner]
    side: npt.NDArray[np.uint8] = np.where(np.isin(kinds, PROBING), prober ^ ~from_prober, from_server)
    return side.astype(np.uint8)


def payload_lengths(
    rng: np.random.Generator, kinds: npt.NDArray[np.uint8], largest_payload: int
) -> npt.NDArray[np.int64]:
    """Return payload bytes per packet: small requests, responses in full segments and a last shorter one."""
    requests = np.minimum(SMALLEST_PAYLOAD + rng.exponential(160.0, len(kinds)), largest_payload)
    responses = rng.integers(SMALLEST_PAYLOAD, largest_payload + 1, len(kinds))
    is_response = np.isin(kinds, (Kind.RESPONSE, Kind.MORE_RESPONSE))
    continued = np.append(kinds[1:] == Kind.MORE_RESPONSE, False)
    lengths = np.where(is_response, np.where(continued, largest_payload, responses), 0)
    return np.where(kinds == Kind.REQUEST, requests, lengths).astype(np.int64)


def number_bytes(plan: Table, first: Integers, owner: Integers, kinds: npt.NDArray[np.uint8], rows: Table) -> None:
    """Fill in seq, ack and tsecr of the rows from their payloads, flags and order."""
    side, syn = rows["side"], kinds == Kind.SYN
    consumed = rows["payload"] + ((rows["flags"] & (SYN | FIN)) != 0)
    sent = [running_totals(consumed * (side == sender), first, owner) for sender in (CLIENT, SERVER)]
    probe = (kinds == Kind.PROBE) | (kinds == Kind.UNANSWERED_PROBE)
    # SND.UNA - 1 makes the probe an old duplicate, which the peer must answer (RFC 9293, 3.8.4).
    seq = np.where(side == SERVER, sent[SERVER], sent[CLIENT]) - probe
    ack = np.where(side == SERVER, sent[CLIENT], sent[SERVER])
    rows["seq"] = plan["iss"][owner, side] + seq
    rows["ack"] = np.where(syn, 0, plan["iss"][owner, 1 - side] + ack)
    # RFC 7323, 4.3: TS.Recent is taken from a segment at Last.ACK.sent, hence never from a probe.
    heard = latest_from_peer(side, np.ones(len(side), dtype=np.bool_))
    echoed = latest_from_peer(side, (seq == ack[heard]) | syn)
    rows["tsecr"] = np.where(syn, 0, rows["tsval"][echoed])


def latest_from_peer(side: npt.NDArray[np.uint8], eligible: Booleans) -> Integers:
    """Return per packet the index of the last eligible packet that the other side sent before it."""
    index = np.arange(len(side))
    from_client = np.maximum.accumulate(np.where((side == CLIENT) & eligible, index, 0))
    from_server = np.maximum.accumulate(np.where((side == SERVER) & eligible, index, 0))
    return np.where(side == SERVER, from_client, from_server)


def capture_times(
    rng: np.random.Generator, plan: Table, first: Integers, owner: Integers, kinds: npt.NDArray[np.uint8]
) -> Integers:
    """Return nanoseconds since the start of the capture per packet, seen next to the client."""
    jitter = rng.random(len(kinds))
    rtt = plan["rtt_ns"][owner] * (1.0 + 0.2 * jitter)
    gap = (15.0 + 45.0 * jitter) * MICROSECOND_NS
    answers = np.isin(kinds, (Kind.SYN_ACK, Kind.RESPONSE, Kind.FIN_ACK, Kind.PROBE_ANSWER))
    gap = np.where(answers, rtt, gap)
    service_ns = rng.exponential(2.0 * MILLISECOND_NS, len(kinds))
    gap = gap + service_ns * (kinds == Kind.RESPONSE)
    thinks = np.isin(kinds, (Kind.REQUEST, Kind.FIN))
    thought = rng.exponential(1.0, len(kinds)) * thinks
    mean_think_ns = np.minimum(plan["think_ns"] / np.add.reduceat(thought, first), MEAN_THINK_NS)
    gap = np.where(thinks, np.minimum(thought * mean_think_ns[owner], LONGEST_THINK_NS), gap)
    gap = wait_for_probes(plan, owner, kinds, gap)
    gap[first] = 0.0
    elapsed = running_totals(gap.astype(np.int64), first, owner) + gap.astype(np.int64)
    times: Integers = plan["start_ns"][owner] + elapsed
    return times


def wait_for_probes(
    plan: Table, owner: Integers, kinds: npt.NDArray[np.uint8], gap: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the gaps with the keepalive timer's in place before probes and the final reset."""
    previous = np.roll(kinds, 1)
    retry = previous == Kind.UNANSWERED_PROBE
    timed = np.isin(kinds, (Kind.PROBE, Kind.UNANSWERED_PROBE, Kind.RESET))
    # The timer counts from the probe before, not from its answer.
    since_probe = np.roll(gap, 1) * (previous == Kind.PROBE_ANSWER)
    timer = np.where(retry, plan["intvl_ns"][owner], plan["period_ns"][owner] - since_probe)
    return np.where(timed, timer + gap, gap)
