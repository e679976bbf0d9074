"""Packets of several captures in one order of time."""

from __future__ import annotations

from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.tables.fields import PACKET_SIZE, TIME

# One capture's packets in the pool: the next row, the row after its last, the latest time taken, and how far its clock
# is ahead.
(LANE_AT, LANE_END, LANE_LATEST, LANE_SHIFT) = range(4)
LANE_SIZE = 4


@kernel
def merge(pool: Ints, lanes: Ints, out: Ints) -> int:
    """Write rows of the pool to `out` in order of time until one lane has no more; return how many.

    Order within a lane is kept, also where its clock steps back.
    """
    count = 0
    while True:
        best = -1
        earliest = 0
        for lane in range(0, len(lanes), LANE_SIZE):
            at = lanes[lane + LANE_AT]
            if at == lanes[lane + LANE_END]:
                return count
            time = max(pool[at * PACKET_SIZE + TIME] - lanes[lane + LANE_SHIFT], lanes[lane + LANE_LATEST])
            if best < 0 or time < earliest:
                best = lane
                earliest = time
        source = lanes[best + LANE_AT] * PACKET_SIZE
        target = count * PACKET_SIZE
        for field in range(PACKET_SIZE):
            out[target + field] = pool[source + field]
        out[target + TIME] -= lanes[best + LANE_SHIFT]
        lanes[best + LANE_AT] += 1
        lanes[best + LANE_LATEST] = earliest
        count += 1
