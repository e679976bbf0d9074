"""What findings about connections that one side closed at a limit have in common."""

from __future__ import annotations

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.limits import Limit
from analyzer.diagnose.registry import MAX_FRAMES, Claim, earliest


def limit_claim(
    context: Context,
    limit: Limit,
    *,
    summary: str,
    remedy: str,
    observed: str,
    expected: str,
    source: str,
    confidence: str = "likely",
    severity: str | None = None,
) -> Claim:
    """A claim about all of them, at the first close: the side that closed is named."""
    return Claim(
        summary=summary,
        remedy=remedy,
        frames=tuple(limit.frames[:MAX_FRAMES].tolist()),
        observed=observed,
        expected=expected,
        source=source,
        confidence=confidence,
        severity=severity,
        streams=tuple(np.sort(limit.streams).tolist()),
        at=earliest(context.closings.time[limit.streams]),
        whom=context.at_side(limit.streams, limit.side),
    )
