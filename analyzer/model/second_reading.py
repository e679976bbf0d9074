"""The packets of an analysis, read a second time: what those who need the packets may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Records
from analyzer.tables.arrays import Column


class Raw(NamedTuple):
    """A packet as it was captured."""

    octets: bytes
    original_length: int
    link_type: int


class Batch(Protocol):
    """Some packets: `rows`, of shape (packets, PACKET_SIZE), may be kept; their bytes last until the next batch."""

    rows: Column

    def raw(self) -> Iterator[Raw]:
        """The bytes of each row."""


class SecondReading(Protocol):
    """The captures of an analysis, to be read once more, or as often as one likes."""

    def hold(self, streams: Sequence[int]) -> None:
        """Keep the packets of these streams, without their bytes, for all that asks for these or some of them."""

    def records(self, take: Callable[[CaptureFacts, int, Records], None]) -> None:
        """Hand all packets on as they were captured: the facts of a capture, its index, a batch.

        Raises UsageError as `batches` does.
        """

    def batches(self, streams: Sequence[int] | Column) -> Iterator[Batch]:
        """The packets of these streams in order of time, some at a time; second copies of packets are left out.

        Raises UsageError where a capture was a pipe that was not kept, CaptureError where one is not what it was.
        """
