"""What a reporter may ask: of any analysis, one that goes on included, and of one that is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Facts
from analyzer.model.findings import Finding
from analyzer.model.flows import Flow, HostSettings
from analyzer.model.second_reading import SecondReading
from analyzer.tables.arrays import Column

if TYPE_CHECKING:
    from analyzer.model.advice import Advice, Candidate
    from analyzer.report.charts.charts import Charts


class Shown(Protocol):
    """What every analysis can tell."""

    captures: list[CaptureFacts]

    @property
    def digits(self) -> int:
        """Decimals of a second that the captures resolve."""

    def frame_text(self, frame: int) -> str:
        """A frame number as it is shown."""


class Analysed(Shown, Protocol):
    """What an analysis that is over can tell: see `analysis.Analysis`."""

    facts: Facts
    again: SecondReading | None

    def __len__(self) -> int: ...

    @property
    def verdicts(self) -> list[str]:
        """The verdict of each connection, by stream."""

    @property
    def severities(self) -> Mapping[str, str]:
        """How urgent each verdict is."""

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each verdict says."""

    @property
    def findings(self) -> list[Finding]:
        """What is worth telling, each with its evidence."""

    @property
    def charts(self) -> Charts:
        """Pictures of it."""

    def flow(self, stream: int) -> Flow:
        """One connection."""

    def flows_of(self, streams: Sequence[int]) -> Iterator[Flow]:
        """These connections, in this order, made one by one."""

    def hosts(self, most: int | None = None) -> list[HostSettings]:
        """The keepalive settings that several connections of a host show together."""

    def severity_of(self, stream: int) -> str:
        """How urgent the verdict of a connection is."""

    def by_verdict(self, streams: Sequence[int] | Column) -> dict[str, Column]:
        """These streams, in their order, by verdict: the most urgent first, and those alone that some have."""

    def worst_first(self, streams: Sequence[int] | Column) -> list[int]:
        """These streams, those with the most urgent verdict first."""

    def verdict_counts(self, streams: Sequence[int] | Column) -> dict[str, int]:
        """How many of these streams have each verdict, the most urgent first."""

    def by_service(self, streams: Column) -> list[Column]:
        """These streams, gathered by the server's address and port."""

    def advise(self, candidates: Sequence[Candidate] | None = None, streams: Iterable[int] | None = None) -> Advice:
        """What these keepalive settings, or those proposed, would have made of the failures, or of those of streams."""

    def by_service_and_path(self, streams: Column) -> list[Column]:
        """These streams, gathered by the addresses of client and server and the server's port."""
