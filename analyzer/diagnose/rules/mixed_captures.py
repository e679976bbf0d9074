"""The finding mixed-captures."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.quantities import connections


@survey(
    "mixed-captures",
    severity="low",
    title="Captures do not belong together: {whom}",
)
def mixed_captures(context: Context) -> Iterator[Claim]:
    """Captures that do not belong together were read together.

    Connections with the same addresses and ports are in two captures, and their sequence numbers contradict each other
    in both directions, with no SYN between. The captures come from different networks with the same addresses, or from
    different times. The connections are listed separately.

    Look at: where and when each capture was made.

    Read captures together only if they follow one another at one place, or were made at several places on one network
    path. Otherwise analyse each on its own (--each).
    """
    for place, capture in enumerate(context.captures):
        if not capture.strangers:
            continue
        yield Claim(
            summary=f"{context.name_of(place)} and {context.name_of(capture.stranger_to)} do not belong together: "
            f"{connections(capture.strangers)} with the same addresses and ports, but unrelated sequence numbers",
            remedy="Analyse captures of different networks or times one at a time: keepalive analyze --each.",
            frames=(),
            observed="sequence numbers of both sides far from those of the other capture, without a SYN between",
            expected="sequence numbers that continue those of the other capture",
            source="RFC 9293 3.4: sequence numbers",
            confidence="likely",
            whom=f"{context.name_of(place)} and {context.name_of(capture.stranger_to)}",
        )
