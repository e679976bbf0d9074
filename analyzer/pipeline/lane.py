"""One capture on its way through capture and decode: a file, a pipe or an interface alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from analyzer.capture import Reader
from analyzer.decode import Decoder
from analyzer.kernels import Kernels
from analyzer.model.columns import Packets, Records
from analyzer.tables.fields import NEVER, PACKET_SIZE, TUNNEL, TUNNEL_SPLIT, WORLD
from analyzer.tables.frames import in_file

if TYPE_CHECKING:
    from analyzer.pipeline.same_traffic.samples import Sample


class Lane:
    """One capture on its way through decoding."""

    def __init__(self, index: int, reader: Reader, kernels: Kernels, split_tunnels: bool, tables: int = 1) -> None:
        """`tables` is how many batches of packets are used at one time."""
        self.index = index
        self.reader = reader
        self.shift = reader.facts.clock_shift
        self.latest = NEVER  # time of the packets taken so far
        self.packets = Packets((), 0)
        self.row = 0  # the first packet not taken yet
        self._frames = in_file(index)
        self._decoder = Decoder(kernels, split_tunnels=split_tunnels, tables=tables)
        self._batches = reader.batches()
        self.keep: Callable[[Records], None] | None = None  # is given each batch before it is decoded
        self.sample: Sample | None = None  # takes what is to be compared with other captures

    def advance(self) -> bool:
        """Decode the next batch, which may hold none of our packets; False at the end of the capture."""
        self.row = 0
        records = next(self._batches, None)
        if records is not None:
            if self.keep is not None:
                self.keep(records)
            self.packets = self._decoder.feed(records._replace(first_frame=records.first_frame + self._frames))
            if self.reader.facts.world:
                self._mark(self.reader.facts.world)
            if self.sample is not None:
                self.sample.take(self.packets)
            return True
        self.packets = Packets((), 0)
        self.note_counts()
        return False

    def _mark(self, world: int) -> None:
        """Have the connections of these packets told from those of captures of another world."""
        rows, mark = self.packets.rows, TUNNEL_SPLIT | world << WORLD
        for row in range(TUNNEL, self.packets.size * PACKET_SIZE, PACKET_SIZE):
            rows[row] |= mark

    def note_counts(self) -> None:
        """Put into the facts what is known of the format, and what decoding has counted, so far."""
        self.reader.note_format()
        self.reader.facts.tcp_packets = self._decoder.tcp_packets
        self.reader.facts.skipped = self._decoder.skipped
        if self.reader.facts.other_records:
            self.reader.facts.skipped["no_packet"] = self.reader.facts.other_records

    @property
    def horizon(self) -> int:
        """The latest time among the packets read so far."""
        last = self.reader.facts.last_time
        return NEVER if last is None else last - self.shift

    def use(self, kernels: Kernels) -> None:
        """Go on with these kernels."""
        self.reader.use(kernels)
        self._decoder.use(kernels)
        self.packets = self.packets._replace(rows=kernels.adopt(self.packets.rows))
