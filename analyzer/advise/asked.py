"""What advice asks of an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from analyzer.diagnose import Context
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Facts
from analyzer.model.findings import Finding
from analyzer.model.flows import Flow
from analyzer.model.second_reading import SecondReading


class Advised(Protocol):
    """What an analysis that is over can tell: see `analysis.Analysis`."""

    captures: list[CaptureFacts]
    facts: Facts
    again: SecondReading | None

    @property
    def findings(self) -> Sequence[Finding]:
        """What is worth telling."""

    @property
    def context(self) -> Context:
        """What rules may ask."""

    def flow(self, stream: int) -> Flow:
        """One connection."""
