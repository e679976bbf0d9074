"""Record boundaries: where each packet of a stream lies in the buffer, and when it was captured."""

from __future__ import annotations

from analyzer.kernels.arithmetic import MASK_16, SEQ_HALF, be32, le32
from analyzer.kernels.engine.registry import Buffer, Ints, kernel
from analyzer.tables.fields import CAPLEN, LINK_TYPE, NEVER, OFFSET, ORIGLEN, RECORD_SIZE, RECORD_TIME
from analyzer.tcp import SECOND
from analyzer.wire import PCAPNG_ENHANCED_PACKET, PCAPNG_PACKET, PCAPNG_SIMPLE_PACKET

ENHANCED_HEAD = 28  # block type, length, interface, timestamp (2 words), captured length, original length
SIMPLE_HEAD = 12  # block type, length, original length
# Times beyond this (the year 2116) are damage, and held here so that differences of two times fit 64 bits.
MAX_TIME = (1 << 62) - 1

# Why a scan stopped.
NEED_MORE = 0  # the next record is not wholly in the buffer
NEED_ROOM = 1  # the table of records is full
BAD_LENGTH = 2  # the next record's lengths make no sense
OTHER_BLOCK = 3  # a pcapng block that is not a packet
UNKNOWN_INTERFACE = 4

# One interface of a pcapng section: time = IF_OFFSET_NS + ticks * IF_MULTIPLY // IF_DIVIDE, or + ticks / 2**IF_BINARY.
(IF_LINK, IF_MULTIPLY, IF_DIVIDE, IF_BINARY, IF_OFFSET_NS, IF_SNAPLEN) = range(6)
INTERFACE_SIZE = 6

# What a scan needs to know, and what it leaves behind.
(AT, END, BIG_ENDIAN, SUBSECOND_NS, LINK, LIMIT, COUNT, LAST_RECORD_TIME) = range(8)
# Where things lie in the head of a record, for `scan_records`: SIZE_AT is 0 where nothing but its captured bytes says
# how long a record is.
(HEAD_SIZE, TIME_AT, CAPLEN_AT, ORIGLEN_AT, SIZE_AT, MAY_BE_SWAPPED) = range(8, 14)
BLANK = 14  # how many records of nothing but zeros stand before this one, without another
# Of times: the last of all records so far (NEVER before the first), and what it was before this batch; of this batch
# the earliest and the latest, and by how much at most one lies before the record ahead of it.
(LAST_TIME, TIME_BEFORE, EARLIEST, LATEST, FURTHEST_BACK) = range(15, 20)
SCAN_SIZE = 20
# A crash leaves a file's end full of zeros, and zeros are records of no bytes, 16 of them to each.
MAX_BLANK = 64


def fresh_scan() -> list[int]:
    """What a scan begins with."""
    scan = [0] * SCAN_SIZE
    scan[LAST_TIME] = NEVER
    return scan


def times_of(scan: Ints) -> tuple[int, int, int, int]:
    """TIME_BEFORE, EARLIEST, LATEST and FURTHEST_BACK of the records that were found last."""
    return int(scan[TIME_BEFORE]), int(scan[EARLIEST]), int(scan[LATEST]), int(scan[FURTHEST_BACK])


@kernel
def u32(buf: Buffer, at: int, big: int) -> int:
    """The 32-bit number at `at` in the file's byte order."""
    if big:
        return be32(buf, at)
    return le32(buf, at)


@kernel
def note_times(records: Ints, count: int, scan: Ints) -> None:
    """Note in `scan` what the times of these records say of them together."""
    if count == 0:
        return
    first = records[RECORD_TIME]
    last = first if scan[LAST_TIME] == NEVER else scan[LAST_TIME]
    earliest, latest, back = first, first, 0
    for row in range(RECORD_TIME, count * RECORD_SIZE, RECORD_SIZE):
        time = records[row]
        earliest = min(earliest, time)
        latest = max(latest, time)
        back = max(back, last - time)
        last = time
    scan[TIME_BEFORE] = first if scan[LAST_TIME] == NEVER else scan[LAST_TIME]
    scan[LAST_TIME] = last
    scan[EARLIEST] = earliest
    scan[LATEST] = latest
    scan[FURTHEST_BACK] = back


@kernel
def scan_records(buf: Buffer, scan: Ints, records: Ints) -> int:
    """Fill `records` from the buffer between scan[AT] and scan[END]; return why it stopped.

    scan[AT] moves past the records taken and scan[COUNT] says how many they are. A record longer than scan[LIMIT]
    is not believed, nor are MAX_BLANK of zeros in a row.
    """
    at, end, big, head = scan[AT], scan[END], scan[BIG_ENDIAN], scan[HEAD_SIZE]
    room = len(records) // RECORD_SIZE
    count = 0
    status = NEED_MORE
    while at + head <= end:
        caplen = u32(buf, at + scan[CAPLEN_AT], big)
        origlen = u32(buf, at + scan[ORIGLEN_AT], big)
        if scan[MAY_BE_SWAPPED] and origlen < caplen <= scan[LIMIT]:
            caplen, origlen = origlen, caplen
        size = head + caplen
        if scan[SIZE_AT] > 0:
            size = u32(buf, at + scan[SIZE_AT], big)
        second = at + scan[TIME_AT]
        blank = caplen + origlen + u32(buf, second, big) + u32(buf, second + 4, big) == 0
        if scan[BLANK] >= MAX_BLANK and blank:
            status = BAD_LENGTH
            break
        if caplen > scan[LIMIT] or size < head + caplen or size > head + caplen + scan[LIMIT]:
            status = BAD_LENGTH
            break
        if at + size > end:
            break
        if count == room:
            status = NEED_ROOM
            break
        row = count * RECORD_SIZE
        records[row + OFFSET] = at + head
        records[row + CAPLEN] = caplen
        records[row + ORIGLEN] = origlen
        records[row + RECORD_TIME] = u32(buf, second, big) * SECOND + u32(buf, second + 4, big) * scan[SUBSECOND_NS]
        records[row + LINK_TYPE] = scan[LINK]
        scan[BLANK] = scan[BLANK] + 1 if blank else 0
        at += size
        count += 1
    scan[AT] = at
    scan[COUNT] = count
    note_times(records, count, scan)
    return status


@kernel
def ticks_to_ns(high: int, low: int, interfaces: Ints, row: int) -> int:
    """A pcapng timestamp, in the units of its interface, as nanoseconds (if_tsresol, if_tsoffset)."""
    # Writers with a clock before 1970 mean a negative number.
    ticks = ((high - ((high & SEQ_HALF) << 1)) << 32) | low
    bits = interfaces[row + IF_BINARY]
    if bits == 0:
        limit = MAX_TIME // interfaces[row + IF_MULTIPLY]
        ns = max(-limit, min(ticks, limit)) * interfaces[row + IF_MULTIPLY] // interfaces[row + IF_DIVIDE]
    else:
        fraction = ticks & ((1 << bits) - 1)
        seconds = max(-MAX_TIME // SECOND, min(ticks >> bits, MAX_TIME // SECOND))
        if bits > 32:  # keeps fraction * 10**9 within 63 bits; less than 0.3 ns is lost
            fraction >>= bits - 32
            bits = 32
        ns = seconds * SECOND + ((fraction * SECOND) >> bits)
    return max(-MAX_TIME, min(ns + interfaces[row + IF_OFFSET_NS], MAX_TIME))


@kernel
def interface_of(buf: Buffer, at: int, big: int) -> int:
    """The interface of a packet block: 32 bits, but 16 in the obsolete kind and always the first in the simple one."""
    kind = u32(buf, at, big)
    if kind == PCAPNG_SIMPLE_PACKET:
        return 0
    if kind == PCAPNG_PACKET:
        number = u32(buf, at + 8, big)
        return number >> 16 if big else number & MASK_16
    return u32(buf, at + 8, big)


@kernel
def packet_block(buf: Buffer, at: int, length: int, scan: Ints, interfaces: Ints, records: Ints, row: int) -> bool:
    """Write the packet of one packet block; False when its captured length does not fit."""
    big = scan[BIG_ENDIAN]
    if u32(buf, at, big) != PCAPNG_SIMPLE_PACKET:
        head = ENHANCED_HEAD
        interface = interface_of(buf, at, big) * INTERFACE_SIZE
        scan[LAST_RECORD_TIME] = ticks_to_ns(u32(buf, at + 12, big), u32(buf, at + 16, big), interfaces, interface)
        caplen = u32(buf, at + 20, big)
        origlen = u32(buf, at + 24, big)
    else:
        # A simple block has no time: the last one known stands in, so that time does not run backwards.
        head = SIMPLE_HEAD
        interface = 0
        origlen = u32(buf, at + 8, big)
        caplen = origlen
        if interfaces[IF_SNAPLEN] > 0:
            caplen = min(caplen, interfaces[IF_SNAPLEN])
        caplen = min(caplen, length - head - 4)
    if head + caplen + 4 > length:
        return False
    records[row + OFFSET] = at + head
    records[row + CAPLEN] = caplen
    records[row + ORIGLEN] = origlen
    records[row + RECORD_TIME] = scan[LAST_RECORD_TIME]
    records[row + LINK_TYPE] = interfaces[interface + IF_LINK]
    return True


@kernel
def scan_pcapng(buf: Buffer, scan: Ints, interfaces: Ints, records: Ints) -> int:
    """As `scan_records`, for the packet blocks of a pcapng section; stops at every other block for its caller."""
    at, end, big = scan[AT], scan[END], scan[BIG_ENDIAN]
    room = len(records) // RECORD_SIZE
    known = len(interfaces) // INTERFACE_SIZE
    count = 0
    status = NEED_MORE
    while at + 12 <= end:
        kind = u32(buf, at, big)
        if kind != PCAPNG_ENHANCED_PACKET and kind != PCAPNG_SIMPLE_PACKET and kind != PCAPNG_PACKET:
            status = OTHER_BLOCK
            break
        length = u32(buf, at + 4, big)
        head = SIMPLE_HEAD if kind == PCAPNG_SIMPLE_PACKET else ENHANCED_HEAD
        if length % 4 != 0 or length < head + 4 or length > scan[LIMIT]:
            status = BAD_LENGTH
            break
        if at + length > end:
            break
        if known <= interface_of(buf, at, big):
            status = UNKNOWN_INTERFACE
            break
        if count == room:
            status = NEED_ROOM
            break
        if u32(buf, at + length - 4, big) != length or not packet_block(
            buf, at, length, scan, interfaces, records, count * RECORD_SIZE
        ):
            status = BAD_LENGTH
            break
        at += length
        count += 1
    scan[AT] = at
    scan[COUNT] = count
    note_times(records, count, scan)
    return status
