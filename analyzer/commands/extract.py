"""`keepalive extract`: the packets of chosen connections as a capture of their own."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.commands import options
from analyzer.commands.annotate import check_packets, to_pcapng
from analyzer.commands.declared import command, with_groups
from analyzer.commands.outcome import Outcome
from analyzer.commands.outputs import binary_output
from analyzer.commands.reading import Reading
from analyzer.commands.selection import Selection
from analyzer.errors import UsageError


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
    from analyzer.pipeline.extraction import write_packets

    with binary_output(output) as out:
        for _ in write_packets(shown, streams, out):
            pass
