"""A socket's timer over time: looked at again and again, as `ss -o` run in a loop would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Course, Sample, Socket

# So many looks make a smooth line; and a look takes a moment of the kernel's time.
LOOKS = 600
SHORTEST_S, LONGEST_S = 0.1, 1.0


def pause_between(seconds: float) -> float:
    """How long to wait from one look to the next."""
    return min(max(seconds / LOOKS, SHORTEST_S), LONGEST_S)


def looks(seconds: float, *, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Yields for each look, at an even pace, for so many seconds."""
    began, pause, number = clock(), pause_between(seconds), 0
    while clock() - began <= seconds:
        yield
        number += 1
        time.sleep(max(began + number * pause - clock(), 0))


def sample(take: Callable[[], tuple[float, Iterable[Socket]]], seconds: float) -> list[Course]:
    """The timers of the sockets that `take` gives (and when, in seconds since 1970), until so many seconds are over.

    A socket is known by its namespace and its ends.
    """
    courses: dict[tuple[str, Endpoint, Endpoint], Course] = {}
    for _ in looks(seconds):
        when, sockets = take()
        for one in sockets:
            course = courses.setdefault((one.netns, one.local, one.peer), Course(one, []))
            course.samples.append(Sample(when, one.timer, one.timer_left, one.unanswered, one.heard_ago))
    return list(courses.values())
