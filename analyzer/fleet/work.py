"""Who does the work of a scan: processes of a cluster, or this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

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
