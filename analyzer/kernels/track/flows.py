"""The flow table: which connection a packet belongs to."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_32, seq_diff
from analyzer.kernels.engine.prefetch import prefetch
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.keys import LO, key_ports, source_is_low
from analyzer.tables.fields import (
    ACKNO,
    CHALLENGED,
    CLIENT_IS_LOW,
    DPORT,
    DST_HI,
    END_TIME,
    ENDPOINT_SIZE,
    FIRST_FRAME,
    FIRST_TIME,
    FLAGS,
    FLOW_COUNT,
    FLOW_SIZE,
    FRAME,
    HANDSHAKE,
    HANDSHAKE_RTT,
    HAS_UPPER_HALVES,
    HASH,
    HEAD_SIZE,
    HIGH_HI,
    HIGH_LO,
    ISN,
    KEY_HASH,
    KEY_PORTS,
    KIND,
    KNOWN,
    LAST_RX,
    LAST_TIME,
    LEN,
    LINE,
    LOW_HI,
    LOW_LO,
    MIN_RTT,
    NEVER,
    NXT,
    OLDER_LIFE,
    OLDER_RESET,
    PREVIOUS,
    ROLES,
    SAW_ACK,
    SAW_REFUSAL,
    SAW_SERVER_SYN,
    SAW_SYN_ACK,
    SENT_SYN,
    SEQ,
    SPORT,
    SRC_HI,
    STATE,
    TIME,
    TUNNEL,
    TUNNEL_SPLIT,
)
from analyzer.tcp import ACK, FIN, RST, SYN, State
from analyzer.wire import EPHEMERAL_IANA, EPHEMERAL_LINUX, EPHEMERAL_XP, PORTS_RESERVED, SERVICE_PORTS

IN_SYN_SENT = int(State.SYN_SENT)
# Numbers of one connection lie within a window of each other, and few windows are larger than this; those of two
# connections lie further apart 127 times in 128.
FAR = 1 << 24
# A challenge ACK comes within a round trip: before the SYN is sent again (RFC 6298 2.1).
CHALLENGED_NS = 1_000_000_000


@kernel
def same_upper_halves(flows: Ints, f: int, low_hi: int, high_hi: int) -> bool:
    """Whether the upper halves of the key's addresses are these; those of IPv4 lie in no cache line of their own."""
    if flows[f + ROLES] & HAS_UPPER_HALVES == 0:
        return low_hi | high_hi == 0
    return flows[f + LOW_HI] == low_hi and flows[f + HIGH_HI] == high_hi


@kernel
def find_slot(packets: Ints, row: int, low: bool, h: int, flows: Ints, slots: Ints) -> int:
    """The slot that holds this key, or the empty slot where it belongs (linear probing)."""
    mask = len(slots) - 1
    slot = h & mask
    tag = h >> 32
    src, dst = DST_HI + (SRC_HI - DST_HI) * low, SRC_HI + (DST_HI - SRC_HI) * low  # no branch: see source_is_low
    while slots[slot] != 0:
        entry = slots[slot]
        if entry >> 32 == tag:
            f = ((entry & MASK_32) - 1) * FLOW_SIZE
            if (
                flows[f + LOW_LO] == packets[row + src + LO]
                and flows[f + HIGH_LO] == packets[row + dst + LO]
                and flows[f + KEY_PORTS] == key_ports(packets, row, low)
                and same_upper_halves(flows, f, packets[row + src], packets[row + dst])
                # The tunnel's part of the key is in the hash alone: 63 bits do not meet by chance.
                and (packets[row + TUNNEL] < TUNNEL_SPLIT or flows[f + HASH] == h)
            ):
                return slot
        slot = (slot + 1) & mask
    return slot


@kernel
def rehash(flows: Ints, count: int, slots: Ints) -> int:
    """Fill an empty, larger slot table; of several connections on one key the last is found there. Return `count`."""
    mask = len(slots) - 1
    for stream in range(count):
        f = stream * FLOW_SIZE
        slot = flows[f + HASH] & mask
        while slots[slot] != 0 and (slots[slot] & MASK_32) != flows[f + PREVIOUS]:
            slot = (slot + 1) & mask
        slots[slot] = (flows[f + HASH] >> 32 << 32) | (stream + 1)
    return count


@kernel
def serves(port: int) -> int:
    """How likely a port is a server's: the more systems take clients' ports from around it, the less."""
    if port < PORTS_RESERVED:
        return 4
    for known in SERVICE_PORTS:
        if port == known:
            return 4
    if port < EPHEMERAL_XP[0]:
        return 3
    if EPHEMERAL_XP[1] < port < EPHEMERAL_LINUX[0]:
        return 2
    return 1 if port < EPHEMERAL_IANA[0] else 0


@kernel
def sender_is_client(packets: Ints, row: int) -> bool:
    """Who is the client of a connection that this packet shows first: by its SYN, else by the ports.

    `track.roles` looks again once all connections are known.
    """
    if packets[row + FLAGS] & SYN:
        return packets[row + FLAGS] & ACK == 0
    source, target = packets[row + SPORT], packets[row + DPORT]
    more = serves(target) - serves(source)
    return source >= target if more == 0 else more > 0


@kernel
def new_flow(packets: Ints, row: int, low: bool, h: int, previous: int, flows: Ints, counts: Ints) -> int:
    """Start a connection with this packet; its row of flows is all zeros so far. Return its stream."""
    stream = counts[FLOW_COUNT]
    counts[FLOW_COUNT] = stream + 1
    f = stream * FLOW_SIZE
    src, dst = (SRC_HI, DST_HI) if low else (DST_HI, SRC_HI)
    flows[f + LOW_HI] = packets[row + src]
    flows[f + LOW_LO] = packets[row + src + LO]
    flows[f + HIGH_HI] = packets[row + dst]
    flows[f + HIGH_LO] = packets[row + dst + LO]
    flows[f + KEY_PORTS] = key_ports(packets, row, low)
    flows[f + HASH] = h
    halves = HAS_UPPER_HALVES if packets[row + SRC_HI] | packets[row + DST_HI] != 0 else 0
    flows[f + ROLES] = halves | (CLIENT_IS_LOW if sender_is_client(packets, row) == low else 0)
    flows[f + PREVIOUS] = previous
    flows[f + FIRST_TIME] = packets[row + TIME]
    flows[f + FIRST_FRAME] = packets[row + FRAME]
    flows[f + END_TIME] = packets[row + TIME]
    flows[f + HANDSHAKE_RTT] = -1
    for x in (f + HEAD_SIZE, f + HEAD_SIZE + ENDPOINT_SIZE):
        flows[x + LAST_RX] = NEVER
        flows[x + MIN_RTT] = -1
    return stream


@kernel
def opens_anew(packets: Ints, row: int, flows: Ints, f: int, x: int, y: int) -> bool:
    """Whether this SYN begins another connection on the addresses and ports of flow `f`."""
    seq = packets[row + SEQ]
    if packets[row + FLAGS] & ACK and flows[y + KNOWN] & SENT_SYN:
        # One that acknowledges this connection's SYN belongs to it, whatever its own number: a server with SYN cookies
        # numbers each answer anew.
        if seq_diff(packets[row + ACKNO], flows[y + ISN]) == 1:
            return False
    if flows[x + KNOWN] & SENT_SYN:
        return flows[x + ISN] != seq
    if packets[row + FLAGS] & ACK == 0:
        # The other side's lone SYN and this one are a simultaneous open (RFC 9293 3.5, figure 7).
        return flows[y + KNOWN] & SENT_SYN == 0 or flows[f + HANDSHAKE] & (SAW_SYN_ACK | SAW_ACK | SAW_REFUSAL) != 0
    if flows[y + KNOWN] & SENT_SYN:
        return False
    return flows[x + KNOWN] & 1 != 0 and seq_diff(flows[x + NXT], seq) != 1


@kernel
def is_of_older_life(packets: Ints, row: int, flows: Ints, f: int, x: int, y: int) -> bool:
    """Whether this segment is still about the connection before `f`, of which only a SYN was seen.

    A server that still holds the old connection answers the SYN with a challenge ACK (RFC 9293 3.10.7.4), which the
    client's TCP, being in SYN-SENT, answers with an RST (3.10.7.3). Where the capture does not hold the old connection,
    its numbers must be far from this one's: else they may be of this one, whose SYN-ACK was not captured.
    """
    if flows[x + STATE] != IN_SYN_SENT and flows[y + STATE] != IN_SYN_SENT:
        return False
    if flows[f + HANDSHAKE] & (SAW_SYN_ACK | SAW_SERVER_SYN):
        return False
    flags = packets[row + FLAGS]
    if flags & SYN:
        return False
    captured = flows[f + PREVIOUS] != 0
    if flows[x + KNOWN] & SENT_SYN:
        if captured:
            return seq_diff(packets[row + SEQ], flows[x + NXT]) != 0 or flags & RST != 0
        return flags & RST != 0 and flows[f + HANDSHAKE] & OLDER_LIFE != 0
    ahead = seq_diff(packets[row + ACKNO], flows[y + NXT])
    if captured:
        return flags & ACK == 0 or ahead != 0
    return flags & (ACK | RST) == ACK and (ahead < 0 or ahead > FAR)


@kernel
def challenge(packets: Ints, row: int, flows: Ints, y: int) -> int:
    """The HANDSHAKE bits of a segment of an older life, which came after the SYN of `y`, or is its RST."""
    flags = packets[row + FLAGS]
    prompt = packets[row + TIME] - flows[y + LAST_TIME] <= CHALLENGED_NS and flags & FIN == 0
    return OLDER_LIFE | (OLDER_RESET if flags & RST else CHALLENGED if prompt and packets[row + LEN] == 0 else 0)


@kernel
def likely_flow(packets: Ints, row: int, slots: Ints) -> int:
    """Where the row of the connection begins that this packet's first slot names; negative where it names none."""
    return ((slots[packets[row + KEY_HASH] & (len(slots) - 1)] & MASK_32) - 1) * FLOW_SIZE


@kernel
def prefetch_flow(packets: Ints, row: int, flows: Ints, slots: Ints) -> None:
    """Have what most packets need of their connection's row brought near."""
    f = likely_flow(packets, row, slots)
    if f >= 0:
        x = f + HEAD_SIZE
        y = x + ENDPOINT_SIZE
        for word in (f, x, x + LINE, y, y + LINE):
            prefetch(flows, word)


@kernel
def find_stream(packets: Ints, row: int, flows: Ints, slots: Ints, counts: Ints) -> int:
    """The stream that this packet belongs to, made when there is none; -1 for an ICMP error about none."""
    low = source_is_low(packets, row)
    h = packets[row + KEY_HASH]
    slot = find_slot(packets, row, low, h, flows, slots)
    stream = (slots[slot] & MASK_32) - 1
    if packets[row + KIND] != 0:  # an ICMP error
        return stream
    if stream >= 0:
        f = stream * FLOW_SIZE
        side = flows[f + ROLES] & CLIENT_IS_LOW ^ low
        x = f + HEAD_SIZE + side * ENDPOINT_SIZE
        y = f + HEAD_SIZE + (1 - side) * ENDPOINT_SIZE
        if packets[row + FLAGS] & (SYN | RST) == SYN:
            if not opens_anew(packets, row, flows, f, x, y):
                return stream
        elif is_of_older_life(packets, row, flows, f, x, y) and flows[f + PREVIOUS] != 0:
            return flows[f + PREVIOUS] - 1
        else:
            return stream
    stream = new_flow(packets, row, low, h, stream + 1, flows, counts)
    slots[slot] = (h >> 32 << 32) | (stream + 1)
    return stream
