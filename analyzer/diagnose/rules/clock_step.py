"""The finding clock-step."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.quantities import duration, times
from analyzer.tables.frames import in_file


@survey(
    "clock-step",
    severity="low",
    title="The clock of {whom} went backwards",
)
def clock_step(context: Context) -> Iterator[Claim]:
    """The clock of the capture went backwards.

    A packet is at least half a second older than the packet before it in the file. Either the clock of the capturing
    host was set, or files were joined in the wrong order. Idle times and intervals that span this point are wrong by
    the size of the step.

    Look at: time synchronisation on the capturing host, and how the file was put together.

    Join captures in time order with mergecap. While capturing, let the clock be slewed rather than stepped.
    """
    for place, capture in enumerate(context.captures):
        if not capture.clock_steps:
            continue
        worst = min(step.step for step in capture.clock_steps)
        frames = tuple(in_file(place) + step.frame for step in capture.clock_steps)
        yield Claim(
            summary=f"The clock{context.where(place)} went backwards {times(len(frames))}, by up to {duration(-worst)}",
            remedy="Sort the packets with reordercap, or join the files with mergecap. Do not trust times that span "
            "these frames.",
            frames=frames,
            observed=f"a packet {duration(-worst)} older than the one before it",
            expected="packets in time order",
            source="pcap-savefile(5): timestamps come from the capturing host",
            whom=context.which(place),
        )
