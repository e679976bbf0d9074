"""`keepalive extract`: the packets of chosen connections as a capture of their own."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from analyzer.commands.annotate import Output, read_packets
from analyzer.commands.options import (
    Captures,
    End,
    Hosts,
    IdleAfter,
    Join,
    Ports,
    Progress,
    Quiet,
    SameTraffic,
    SplitTunnels,
    Start,
    Streams,
    Verdicts,
)
from analyzer.commands.outputs import binary_output
from analyzer.commands.reading import selected
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


def extract(
    captures: Captures,
    output: Output,
    stream: Streams = None,
    host: Hosts = None,
    port: Ports = None,
    verdict: Verdicts = None,
    start: Start = None,
    end: End = None,
    idle_after: IdleAfter = 10.0,
    split_tunnels: SplitTunnels = False,
    same_traffic: SameTraffic = Join.auto,
    progress: Progress = None,
    quiet: Quiet = False,
) -> None:
    """Write the packets of the connections that are selected, and ICMP errors about them; each packet once."""
    selection = selected(stream, host, port, verdict, start, end)
    if not any((stream, host, port, verdict, start, end)):
        raise UsageError("extract needs to know of which connections: --stream N, --host ADDR, --verdict WORD, ...")
    analysis = read_packets(captures, output, idle_after, split_tunnels, same_traffic, progress, quiet)
    with binary_output(output) as out:
        write_extracted(analysis, selection.streams_of(analysis), out)


def write_extracted(analysis: Analysis, streams: list[int], out: IO[bytes]) -> None:
    """The packets of these connections alone."""
    from analyzer.capture.pcapng_writer import PcapngWriter
    from analyzer.tables.fields import FRAME, TIME
    from analyzer.tables.frames import file_of

    assert analysis.again is not None
    writer = PcapngWriter()
    out.write(writer.begin())
    for batch in analysis.again.batches(streams):
        for row, raw in zip(batch.rows[:, [FRAME, TIME]].tolist(), batch.raw(), strict=True):
            facts = analysis.captures[file_of(row[0])]
            where = facts.path, raw.link_type, facts.digits
            out.write(writer.packet(raw.octets, raw.original_length, row[1] + facts.clock_shift, where))
