"""Who does the work of a scan: processes of a cluster, or this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar


class Progress(NamedTuple):
    """How far a scan has come: in its stage, and of what is read."""

    stage: str  # reading, tracking, writing
    done: int
    of: int
    octets: int = 0
    of_octets: int = 0
    packets: int = 0
    seconds: float = 0.0


Tell = Callable[[Progress], None]
One = TypeVar("One")
Other = TypeVar("Other")


class Workers(Protocol):
    """Who does the work: processes of a cluster, or this one."""

    count: int
    memory: int  # bytes that each may use

    def each(
        self, work: Callable[[One], Other], tasks: Sequence[One], name: str
    ) -> Iterator[tuple[int, Other | Exception]]:
        """What comes of each task, as soon as it is there, by the task's place; or what went wrong with it."""


class Here:
    """This process does the work, one task after another."""

    count = 1
    memory = 1 << 30

    def each(
        self, work: Callable[[One], Other], tasks: Sequence[One], name: str
    ) -> Iterator[tuple[int, Other | Exception]]:
        """See Workers."""
        for place, task in enumerate(tasks):
            yield place, work(task)


def in_stage(stage: str, results: Iterator[One], count: int, progress: Tell) -> Iterator[One]:
    """The same results; how many there have been is told."""
    progress(Progress(stage, 0, count))
    for done, result in enumerate(results, 1):
        progress(Progress(stage, done, count))
        yield result
