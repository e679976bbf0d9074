"""Packets as small numbers in planes of bytes, which pack well: each told by the one before it of its direction."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_16, MASK_32, MASK_63, SEQ_HALF, mix, seq_diff
from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.keys import endpoint_hash
from analyzer.tables.fields import (
    COPY_HASH,
    DPORT,
    DST_HI,
    DST_LO,
    FLAGS,
    KEY_HASH,
    LEN,
    PACKET_SIZE,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
)
from analyzer.tcp import FIN, SYN

WHO = (SRC_HI, SRC_LO, SPORT, DST_HI, DST_LO, DPORT)

RUN = PACKET_SIZE  # of a first packet: how many follow it of its direction
FIELDS = PACKET_SIZE + 1
# Of each field bytes of its widest number, and where its planes begin: those of first packets, then of the others.
(WIDTH, START) = range(2)
FIELD_SIZE = 2
PART_SIZE = FIELDS * FIELD_SIZE
LANES = 8  # bytes of a plane in a word


@kernel
def wrapped(number: int) -> int:
    """The same modulo 2**64, in 64 bits with a sign: as machine words wrap, and Python's numbers do not."""
    high = (number >> 32) & MASK_32
    return ((high - ((high & SEQ_HALF) << 1)) << 32) | (number & MASK_32)


@kernel
def moved_by(packets: Ints, row: int) -> int:
    """By how much a segment moves its sender's sequence number (RFC 9293 3.4)."""
    flags = packets[row + FLAGS]
    return packets[row + LEN] + int(flags & SYN != 0) + int(flags & FIN != 0)


@kernel
def spread(packets: Ints, size: int, count: int, out: Ints) -> int:
    """For each packet one of `count` partitions, the same for both directions; behind all 16 bits for its direction."""
    for index in range(size):
        row = index * PACKET_SIZE
        source = endpoint_hash(0, packets[row + SRC_HI], packets[row + SRC_LO], packets[row + SPORT])
        target = endpoint_hash(0, packets[row + DST_HI], packets[row + DST_LO], packets[row + DPORT])
        out[index] = ((source + target & MASK_63) >> 20) % count
        out[size + index] = mix(mix(source, 1), target) >> 40 & MASK_16
    return size


@kernel
def follows(packets: Ints, row: int, before: int) -> bool:
    """Whether both packets are of one direction of a connection."""
    same = True
    for field in WHO:
        same = same & (packets[row + field] == packets[before + field])
    return same


@kernel
def note_step(
    packets: Ints, row: int, before: int, words: Ints, place: int, size: int, fields: Ints, part: int
) -> None:
    """Note how each field of a packet differs from that of another, or from 0 where `before` is -1."""
    for field in range(PACKET_SIZE):
        step = packets[row + field]
        if before >= 0:
            step = wrapped(step - packets[before + field])
        if field == SEQ and part > 0:
            step = seq_diff(packets[row + SEQ], packets[before + SEQ] + moved_by(packets, before))
        if field == KEY_HASH or field == COPY_HASH:  # which the tracker makes
            step = 0
        small = wrapped((step << 1) ^ (step >> 63))  # of either sign
        words[field * size + place] = small
        fields[part + field * FIELD_SIZE + WIDTH] |= small


@kernel
def byte_of(words: Ints, place: int, shift: int) -> int:
    """One byte of a word."""
    return words[place] >> shift & 0xFF


@kernel
def eight_bytes(words: Ints, place: int, shift: int) -> int:
    """One byte of each of eight words: spelt out, for a loop takes twice the time."""
    low = byte_of(words, place, shift) | byte_of(words, place + 1, shift) << 8
    low |= byte_of(words, place + 2, shift) << 16 | byte_of(words, place + 3, shift) << 24
    high = byte_of(words, place + 4, shift) | byte_of(words, place + 5, shift) << 8
    high |= byte_of(words, place + 6, shift) << 16 | byte_of(words, place + 7, shift) << 24
    return high << 32 | low


@kernel
def to_planes(words: Ints, begin: int, end: int, size: int, fields: Ints, part: int, planes: Ints, at: int) -> int:
    """Write places `begin` to `end` of all columns as planes, the lowest bytes first; return where they end."""
    for field in range(FIELDS):
        together, width = fields[part + field * FIELD_SIZE + WIDTH], 0
        while together != 0 and width < 8:
            together = (together >> 8) & (MASK_63 >> 7)
            width += 1
        fields[part + field * FIELD_SIZE + WIDTH] = width
        fields[part + field * FIELD_SIZE + START] = at
        for plane in range(width):
            for first in range(field * size + begin, field * size + end - LANES + 1, LANES):
                planes[at] = wrapped(eight_bytes(words, first, 8 * plane))
                at += 1
            left = (end - begin) % LANES
            if left > 0:
                word = 0
                for place in range(left):
                    word |= byte_of(words, field * size + end - left + place, 8 * plane) << (8 * place)
                planes[at] = wrapped(word)
                at += 1
    return at


@kernel
def pack(packets: Ints, size: int, order: Ints, words: Ints, fields: Ints, planes: Ints) -> int:
    """Write these packets, in this order, as planes; return how many are the first of a direction.

    `words` has room for FIELDS numbers of each, `planes` for as many bytes as these take.
    """
    heads = min(size, 1)
    for index in range(1, size):
        heads += int(not follows(packets, order[index] * PACKET_SIZE, order[index - 1] * PACKET_SIZE))
    for index in range(len(fields)):
        fields[index] = 0
    head, other, before, before_head = -1, heads, -1, -1
    for index in range(size):
        row = order[index] * PACKET_SIZE
        if index > 0 and follows(packets, row, before):
            note_step(packets, row, before, words, other, size, fields, PART_SIZE)
            words[RUN * size + head] += 1
            other += 1
        else:
            head += 1
            note_step(packets, row, before_head, words, head, size, fields, 0)
            words[RUN * size + head] = 0
            before_head = row
        before = row
    for place in range(heads):
        fields[RUN * FIELD_SIZE + WIDTH] |= words[RUN * size + place]
    to_planes(
        words, heads, size, size, fields, PART_SIZE, planes, to_planes(words, 0, heads, size, fields, 0, planes, 0)
    )
    return heads


@kernel
def number_at(planes: Ints, fields: Ints, at: int, place: int, count: int) -> int:
    """The number at a place of a field, of which there are so many."""
    lane = (count + LANES - 1) // LANES
    number, plane = 0, fields[at + START] + place // LANES
    for width in range(fields[at + WIDTH]):
        number |= (planes[plane] >> (8 * (place % LANES)) & 0xFF) << (8 * width)
        plane += lane
    return wrapped(number)


@kernel
def take_step(
    planes: Ints, fields: Ints, part: int, place: int, count: int, packets: Ints, row: int, before: int
) -> None:
    """Write a packet, from another and how it differs from that."""
    for field in range(PACKET_SIZE):
        small = number_at(planes, fields, part + field * FIELD_SIZE, place, count)
        step = (small >> 1 & MASK_63) ^ -(small & 1)
        if before >= 0:
            step = wrapped(step + packets[before + field])
        packets[row + field] = step
    if part > 0:
        packets[row + SEQ] = packets[row + SEQ] + moved_by(packets, before) & MASK_32


@kernel
def unpack(planes: Ints, fields: Ints, heads: int, size: int, packets: Ints) -> int:
    """Write the packets back, in the order in which they were packed; return how many there are."""
    row, before_head, others = 0, -1, 0
    for head in range(heads):
        take_step(planes, fields, 0, head, heads, packets, row, before_head)
        before_head = row
        row += PACKET_SIZE
        # Whatever the numbers say, there are no more than so many.
        for _ in range(min(number_at(planes, fields, RUN * FIELD_SIZE, head, heads), size - heads - others)):
            take_step(planes, fields, PART_SIZE, others, size - heads, packets, row, row - PACKET_SIZE)
            others += 1
            row += PACKET_SIZE
    return heads + others
