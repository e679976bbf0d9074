"""The finding clock-step."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import times
from analyzer.diagnose.registry import Claim, Context, survey
from analyzer.tables.frames import in_file


@survey(
    "clock-step",
    severity="low",
    title="The clock of {whom} went backwards",
)
def clock_step(context: Context) -> Iterator[Claim]:
    """The capture's clock went backwards.

    A packet is half a second or more older than the one before it in the file. The clock of the capturing host was
    set, or files were joined in the wrong order. Times across that point say little: idle times and intervals that
    span it are wrong by as much.

    Look at: time synchronisation on the capturing host, and how the file was put together.

    Join captures with mergecap, in the order of time; let the clock be slewed rather than stepped while capturing.
    """
    for place, capture in enumerate(context.captures):
        if not capture.clock_steps:
            continue
        worst = min(step.step for step in capture.clock_steps)
        frames = tuple(in_file(place) + step.frame for step in capture.clock_steps)
        yield Claim(
            summary=f"the clock{context.where(place)} went back {times(len(frames))}, by up to {-worst / 1e9:.1f} s",
            remedy="Take times across these frames for unknown; order the packets with reordercap, or join files with "
            "mergecap.",
            frames=frames,
            observed=f"a packet {-worst / 1e9:.3f} s older than the one before it",
            expected="packets in the order of time",
            source="pcap-savefile(5): times are the capturing host's",
            whom=context.which(place),
        )
