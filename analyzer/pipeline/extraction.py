"""The packets of chosen connections, as a capture of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from analyzer.capture.pcapng_writer import PcapngWriter
from analyzer.tables.fields import FRAME, STREAM, TIME
from analyzer.tables.flow import by_server
from analyzer.tables.frames import file_of

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


class Sent(NamedTuple):
    """A packet that was written: of which end of which connection, when, and which frame of the captures it is."""

    stream: int
    side: int
    time: int
    frame: int


def write_packets(analysis: Analysis, streams: Sequence[int], out: IO[bytes]) -> Iterator[Sent]:
    """Write the packets of these connections as a pcapng file, and yield what each is."""
    packets = analysis.packets
    writer = PcapngWriter()
    out.write(writer.begin())
    for batch in packets.batches(streams):
        rows = batch.rows[:, [FRAME, TIME, STREAM]].tolist()
        sides = by_server(batch.rows, analysis.facts.tracks.flows).tolist()
        for (frame, time, stream), side, raw in zip(rows, sides, batch.raw(), strict=True):
            facts = analysis.captures[file_of(frame)]
            where = facts.path, raw.link_type, facts.digits
            out.write(writer.packet(raw.octets, raw.original_length, time + facts.clock_shift, where))
            yield Sent(stream, int(side), time, frame)
