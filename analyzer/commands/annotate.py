"""`keepalive annotate`: a copy of the captures with comments on packets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from analyzer.commands import options
from analyzer.commands.declared import command, with_groups
from analyzer.commands.options import OWNER_ONLY
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import binary_output, check_binary, check_output
from analyzer.commands.reading import Reading
from analyzer.commands.selection import Selection

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.model.captures import CaptureFacts
    from analyzer.model.columns import Records

to_pcapng = options.output(f"Write this pcapng file ({OWNER_ONLY}); - for standard output", required=True)


@command
@options.captures
@to_pcapng
@with_groups(selection=Selection, reading=Reading)
def annotate(captures: Sequence[str], selection: Selection, reading: Reading, output: str) -> None:
    """Write a copy of the packets with comments on probes, answers, resets and evidence, for Wireshark.

    All packets are written. Selectors choose the connections and findings that get comments.
    """
    check_packets(output, captures)
    outcome = Outcome(selection, reading.quiet)
    shown, streams = outcome.select(reading.analyse(captures, spool=True))
    outcome.leave_without_match()
    with binary_output(output) as out:
        write_annotated(shown, streams, out)


def check_packets(output: str, captures: Sequence[str]) -> None:
    """Raise UsageError where packets must not be written: over a capture that is read, or to a terminal."""
    check_output(output, captures)
    check_binary(output)


def write_annotated(analysis: Analysis, streams: list[int], out: IO[bytes]) -> None:
    """All packets, with comments on those of these connections."""
    from analyzer.capture.pcapng_writer import PcapngWriter
    from analyzer.report.annotations import remarks_on
    from analyzer.tables.frames import file_of, number_of

    packets = analysis.packets
    remarks = remarks_on(analysis, streams)
    by_capture: dict[int, dict[int, list[str]]] = {}
    for frame, texts in remarks.items():
        by_capture.setdefault(file_of(frame), {})[number_of(frame)] = texts
    writer = PcapngWriter()
    out.write(writer.begin())

    def take(facts: CaptureFacts, index: int, records: Records) -> None:
        out.write(writer.records(records, facts.path, facts.digits, by_capture.get(index)))

    packets.records(take)
