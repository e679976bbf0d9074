"""`keepalive extract`: the packets of chosen connections as a capture of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from analyzer.commands import options
from analyzer.commands.annotate import check_packets, to_pcapng
from analyzer.commands.declared import command, with_groups
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import binary_output
from analyzer.commands.reading import Reading
from analyzer.commands.selection import Selection
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer.analysis import Analysis


@command
@options.captures
@to_pcapng
@with_groups(selection=Selection, reading=Reading)
def extract(captures: Sequence[str], selection: Selection, reading: Reading, output: str) -> None:
    """Write the packets of the selected connections, with the ICMP errors about them; each packet once."""
    if not (selection.of_connections or selection.of_findings):
        raise UsageError("extract needs a selector: --stream N, --host ADDR, --verdict WORD, --severity WORD, ...")
    check_packets(output, captures)
    outcome = Outcome(selection, reading.quiet)
    shown, streams = outcome.select(reading.analyse(captures, spool=True))
    outcome.leave_without_match(only_connections=True)
    with binary_output(output) as out:
        write_extracted(shown, streams, out)


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
