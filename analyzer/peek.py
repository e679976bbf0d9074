"""The start of each of several captures: when it begins, and which of them hold the same traffic."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from analyzer.capture import open_capture
from analyzer.captured import CaptureFacts, SameTraffic
from analyzer.decode import Decoder
from analyzer.kernels import plain
from analyzer.layout import (
    ACKNO,
    DPORT,
    DST_HI,
    DST_LO,
    FLAGS,
    IP_ID,
    KIND,
    LEN,
    PACKET_SIZE,
    SEQ,
    SPORT,
    SRC_HI,
    SRC_LO,
    TIME,
    TSECR,
    TSVAL,
)

# What two captures of one packet agree in, whatever routers did to it; the addresses come first.
LASTING = (SRC_HI, SRC_LO, DST_HI, DST_LO, SPORT, DPORT, SEQ, ACKNO, FLAGS, LEN, IP_ID, TSVAL, TSECR)
Signature = tuple[int, ...]
# So many packets that both hold, and that resemble no other there, are no chance: not even one is.
SAME_TRAFFIC = 3
# Two clocks that differ by less are left as they are; a shift keeps to the microseconds that most captures have.
CLOCKS_AGREE_NS = 100_000
MICROSECOND = 1000


@dataclass
class Peek:
    """The start of one capture."""

    index: int
    path: str
    start: int  # nanoseconds, by the clock of the timeline
    packets: dict[Signature, int]  # when those were captured that resemble no other


def peek(index: int, path: str, packets: int) -> Peek:
    """Look at the first packets of a capture; one without any begins before everything.

    Raises CaptureError when it cannot be read as a capture.
    """
    kernels = plain()
    reader = open_capture(path, kernels, batch=packets)
    decoder = Decoder(kernels)
    seen: dict[Signature, list[int]] = {}
    if (records := next(reader.batches(), None)) is not None:
        table, size = decoder.feed(records)
        for row in range(0, size * PACKET_SIZE, PACKET_SIZE):
            if table[row + KIND] == 0:
                seen.setdefault(tuple([table[row + field] for field in LASTING]), []).append(table[row + TIME])
    reader.close()
    once = {signature: times[0] for signature, times in seen.items() if len(times) == 1}
    return Peek(index, path, reader.facts.first_time or 0, once)


def find_same_traffic(peeks: Sequence[Peek], captures: Sequence[CaptureFacts]) -> None:
    """Note in `captures` which hold the same traffic as one before them, and set the clocks of those by it."""
    for one, other in combinations(peeks, 2):
        if captures[other.index].same_traffic is not None:
            continue
        common = one.packets.keys() & other.packets.keys()
        if len(common) < SAME_TRAFFIC:
            continue
        ahead = clock_difference({signature: other.packets[signature] - one.packets[signature] for signature in common})
        captures[other.index].same_traffic = SameTraffic(one.index, ahead)
        shift = captures[one.index].clock_shift + (ahead if abs(ahead) > CLOCKS_AGREE_NS else 0)
        captures[other.index].clock_shift = shift
        other.start -= shift


def clock_difference(later: dict[Signature, int]) -> int:
    """How far one clock is ahead, from how much later it saw each packet.

    Packets of one direction took the way between the two places forwards, those of the other backwards: the mean of
    both directions is free of it, if both ways take as long (as NTP has it, RFC 5905 8).
    """
    directions: dict[bool, list[int]] = {}
    for signature, difference in later.items():
        directions.setdefault(signature[:2] < signature[2:4], []).append(difference)
    middle = statistics.mean([statistics.median(differences) for differences in directions.values()])
    return round(middle / MICROSECOND) * MICROSECOND
