"""The kernels at work on batches of records, and scapy where a link type is beyond them."""

from __future__ import annotations

from analyzer.decode.scapy_links import Dissector
from analyzer.kernels import Ints, Kernels
from analyzer.kernels.turns import Turns
from analyzer.model.columns import Packets, Records
from analyzer.tables.fields import (
    COUNTS_SIZE,
    FIRST_SKIP,
    PACKET_SIZE,
    SKIP_REASONS,
    SPLIT,
    TCP_PACKETS,
    UNSUPPORTED_LINK_TYPE,
)

UNSUPPORTED = FIRST_SKIP + UNSUPPORTED_LINK_TYPE


class Decoder:
    """Decodes the records of one capture; the returned rows are overwritten when all tables have had their turns."""

    def __init__(self, kernels: Kernels, *, split_tunnels: bool = False, tables: int = 1) -> None:
        self._counts = kernels.ints(COUNTS_SIZE)
        self._counts[SPLIT] = int(split_tunnels)
        self._dissector = Dissector()
        self._kernels = kernels
        self._turns = Turns(kernels, tables)

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self._kernels = kernels
        self._counts = kernels.adopt(self._counts)
        self._turns.use(kernels)

    def feed(self, records: Records) -> Packets:
        """Decode a batch: a row of PACKET_SIZE words for each record with a TCP segment or an ICMP error about one."""
        rows = self._turns.next(records.size * PACKET_SIZE)
        before = [self._counts[i] for i in range(COUNTS_SIZE)]
        count = self._decode(records, rows)
        if self._counts[UNSUPPORTED] > before[UNSUPPORTED] and self._dissector.find_ip(records):
            for i, value in enumerate(before):
                self._counts[i] = value
            count = self._decode(records, rows)
        return Packets(rows, count)

    def _decode(self, records: Records, rows: Ints) -> int:
        return self._kernels.decode(records.buffer, records.rows, records.size, records.first_frame, rows, self._counts)

    @property
    def tcp_packets(self) -> int:
        """TCP segments decoded in this capture."""
        return int(self._counts[TCP_PACKETS])

    @property
    def skipped(self) -> dict[str, int]:
        """How many frames of this capture gave no packet, by reason."""
        counts = {reason: int(self._counts[FIRST_SKIP + i]) for i, reason in enumerate(SKIP_REASONS)}
        return {reason: count for reason, count in counts.items() if count}
