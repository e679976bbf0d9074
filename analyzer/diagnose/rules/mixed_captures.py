"""The finding mixed-captures."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.phrases import connections
from analyzer.diagnose.registry import Claim, Context, survey


@survey(
    "mixed-captures",
    severity="low",
    title="Captures do not belong together: {whom}",
)
def mixed_captures(context: Context) -> Iterator[Claim]:
    """Captures that do not belong together were read together.

    Connections of the same addresses and ports are in two captures, and their sequence numbers contradict each other in
    both directions, with no SYN between: other hosts in networks of the same addresses, or another time. They are told
    as connections of their own.

    Look at: where and when each capture was made.

    Read captures together that follow one another at one place, or that were made at several places of one path; look
    at others one by one (--each).
    """
    for place, capture in enumerate(context.captures):
        if not capture.strangers:
            continue
        yield Claim(
            summary=f"{connections(capture.strangers)} of capture {place} had the addresses and ports of others in "
            f"capture {capture.stranger_to}",
            remedy="Look at captures of different hosts or times one by one: keepalive analyze --each.",
            frames=(),
            observed="sequence numbers of both ends far from those of the other capture, without a SYN between",
            expected="numbers that go on where the other capture left them",
            source="RFC 9293 3.4: sequence numbers",
            confidence="likely",
            whom=f"capture {place} and capture {capture.stranger_to}",
        )
