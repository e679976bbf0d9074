"""`keepalive annotate`: a copy of the captures with a comment on each packet that something is to be said of."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Annotated

import typer

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
from analyzer.commands.outputs import binary_output, check_output
from analyzer.commands.reading import read, selected

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.model.captures import CaptureFacts
    from analyzer.model.columns import Records

Output = Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="Write this pcapng file")]


def annotate(
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
    """Write the same packets with comments: Wireshark shows what is said of probes, answers, resets, evidence.

    All packets are written, whatever is selected; the comments are those of the connections that are.
    """
    selection = selected(stream, host, port, verdict, start, end)
    analysis = read_packets(captures, output, idle_after, split_tunnels, same_traffic, progress, quiet)
    with binary_output(output) as out:
        write_annotated(analysis, selection.streams_of(analysis), out)


def read_packets(
    captures: list[str],
    output: str,
    idle_after: float,
    split_tunnels: bool,
    same_traffic: Join,
    progress: bool | None,
    quiet: bool,
) -> Analysis:
    """The analysis; what comes through a pipe is kept, for its packets are read a second time."""
    check_output(output, captures)
    return read(
        captures,
        idle_after=idle_after,
        split_tunnels=split_tunnels,
        same_traffic=same_traffic.value,
        spool=True,
        progress=progress,
        quiet=quiet,
    )


def write_annotated(analysis: Analysis, streams: list[int], out: IO[bytes]) -> None:
    """All packets, with comments on those of these connections."""
    from analyzer.capture.pcapng_writer import PcapngWriter
    from analyzer.report.annotations import remarks_on
    from analyzer.tables.frames import file_of, number_of

    assert analysis.again is not None
    remarks = remarks_on(analysis, streams)
    by_capture: dict[int, dict[int, list[str]]] = {}
    for frame, texts in remarks.items():
        by_capture.setdefault(file_of(frame), {})[number_of(frame)] = texts
    writer = PcapngWriter()
    out.write(writer.begin())

    def take(facts: CaptureFacts, index: int, records: Records) -> None:
        out.write(writer.records(records, facts.path, facts.digits, by_capture.get(index)))

    analysis.again.records(take)
