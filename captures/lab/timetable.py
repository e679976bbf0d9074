"""What several connections do, each in its own time."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from endpoints import Talk
from stage import Stage

OTHER = {"client": "server", "server": "client"}


@dataclass
class Timetable:
    """Acts in order of time; an act may add further ones."""

    stage: Stage
    _acts: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def at(self, second: float, act: Callable[..., object], *arguments: object) -> None:
        """Do this at that second of the play."""
        heapq.heappush(self._acts, (second, next(self._count), lambda: act(*arguments)))

    def play(self, until: float) -> None:
        """Do everything, and wait for the end."""
        while self._acts:
            second, _, act = heapq.heappop(self._acts)
            self.stage.until(second)
            act()
        self.stage.until(until)


def close(talk: Talk, first: str) -> None:
    """Both ends close, one before the other."""
    talk.end(first).close()
    talk.end(OTHER[first]).close()
    talk.outcome("closed", "fin", first)


def abort(talk: Talk, by: str) -> None:
    """One end resets."""
    talk.end(by).abort()
    talk.outcome("aborted", "rst", by, "abort")
