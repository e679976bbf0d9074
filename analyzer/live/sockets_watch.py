"""This host's sockets, looked at again and again: what is new since the look before, and whom that is told."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from analyzer.diagnose.sockets import Counts, count_open, find_growing, find_suspects, narrowed, worst_first
from analyzer.live.pace import Pace
from analyzer.model.findings import SEVERITIES
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Change, Look, Socket, Suspect, Timer
from analyzer.tcp import State

if TYPE_CHECKING:
    from analyzer.host import Snapshot

LOOKS = 10  # whose counts are kept, to see what grows
REARMED_S = 0.5  # a timer that has so much more left than it should has been set again
# A suspect that is missing may be back at the next look: a busy connection's retransmission timer hides keepalive.
MISSING = 3
SHARE = 0.5  # twice as long as a look takes, nothing is asked of the kernel
LASTING = (Timer.KEEPALIVE, Timer.PERSIST)  # each segment sets the others again
Name = tuple[str, int] | tuple[str, Endpoint, Endpoint, int]
About = tuple[str, int, Endpoint | None]


class SocketsWatch:
    """Takes looks, and remembers of the last ones what it needs to say what is new."""

    def __init__(
        self,
        take: Callable[[], Snapshot],
        select: Callable[[Iterable[Socket]], list[Socket]],
        idle_after: float,
        *,
        only_suspects: bool = False,
    ) -> None:
        """`take` has all sockets; `select` chooses those that are shown."""
        self._take, self._select = take, select
        self._idle_after, self._only_suspects = idle_after, only_suspects
        self.worst = ""  # of the severities of all suspects so far
        self._before: dict[Name, Socket] | None = None
        self._began = 0.0
        self._standing: dict[About, Suspect] = {}
        self._missing: dict[About, int] = {}
        self._counts: deque[tuple[float, Counts]] = deque(maxlen=LOOKS)

    def look(self) -> Look:
        """The sockets as they are now. At the first look none is new, but all suspects are."""
        began = time.monotonic()
        snapshot = self._take()
        shown = self._select(snapshot.sockets)
        suspects = narrowed(self._suspects(snapshot, began), shown)
        if self._only_suspects:
            shown = list({id(one): one for suspect in suspects for one in suspect.sockets}.values())
        now = {_name(one): one for one in shown}
        changes = [] if self._only_suspects else self._of_sockets(now, snapshot.time, began)
        changes += self._of_suspects(suspects, now, snapshot.time)
        self._before, self._began = now, began
        return Look(snapshot.time, began, shown, suspects, snapshot.unseen, snapshot.idle_known, tuple(changes))

    def _suspects(self, snapshot: Snapshot, began: float) -> list[Suspect]:
        self._counts.append((began, count_open(snapshot.sockets)))
        growing = find_growing(snapshot.sockets, [count for _, count in self._counts], began - self._counts[0][0])
        return worst_first([*find_suspects(snapshot.sockets, self._idle_after), *growing])

    def _of_sockets(self, now: dict[Name, Socket], when: float, began: float) -> list[Change]:
        if self._before is None:
            return []
        before, passed = self._before, began - self._began
        closed = [Change("closed", when, one) for name, one in before.items() if name not in now]
        opened = [Change("opened", when, one) for name, one in now.items() if name not in before]
        both = ((before[name], one) for name, one in now.items() if name in before)
        timers = [
            Change("timer", when, one, why=why, unanswered_before=earlier.unanswered)
            for earlier, one in both
            if (why := timer_news(earlier, one, passed))
        ]
        return [*closed, *opened, *timers]

    def _of_suspects(self, suspects: Sequence[Suspect], now: dict[Name, Socket], when: float) -> Iterator[Change]:
        present = {one.about: one for one in suspects}
        for about, one in present.items():
            earlier = self._standing.get(about)
            if earlier is None or earlier.severity != one.severity:
                self.worst = max(self.worst, one.severity, key=("", *SEVERITIES).index)
                yield Change("suspect", when, suspect=one)
        self._missing = {about: self._missing.get(about, 0) + 1 for about in self._standing if about not in present}
        for about, times in self._missing.items():
            standing = self._standing[about]
            if times < MISSING and any(_name(one) in now for one in standing.sockets):
                present[about] = standing
            else:
                yield Change("withdrawn", when, suspect=standing)
        self._standing = present


def timer_news(before: Socket, now: Socket, passed: float) -> str:
    """Why a socket's timer is worth a line, after so many seconds; empty where it has only run on."""
    if before.unanswered != now.unanswered:
        return "unanswered"
    if None not in (before.keepalive, now.keepalive) and before.keepalive != now.keepalive:
        return "keepalive-on" if now.keepalive else "keepalive-off"
    if before.timer is now.timer and now.timer in LASTING:
        if (now.timer_left or 0.0) > (before.timer_left or 0.0) - passed + REARMED_S:
            return "re-armed"
    return ""


def _name(one: Socket) -> Name:
    """What no other socket has: the kernel's cookie, or where that is not known its ends."""
    if one.cookie:
        return one.netns, one.cookie
    return one.netns, one.local, one.peer, one.inode if one.state is State.LISTEN else 0


class Audience(Protocol):
    """Who is told."""

    every_s: float  # how often it draws without a new look

    def listen(self, look: Look) -> None:
        """There is a new look."""

    def draw(self) -> None:
        """It is time to draw, if it does."""


class Watching:
    """Looks at the sockets every so many seconds, until it is stopped."""

    def __init__(self, watch: SocketsWatch, every_s: float) -> None:
        self._watch, self._every_s = watch, every_s
        self._ended = False
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()  # a handler of signals may put into it

    def stop(self) -> None:
        """End as soon as possible."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        """Have it draw now."""
        self._woken.put(None)

    def run(self, audience: Audience, seconds: float | None = None) -> Look:
        """Until it is stopped, or for so many seconds; the last look."""
        until = float("inf") if seconds is None else time.monotonic() + seconds
        pace = Pace(self._every_s, SHARE)
        while True:
            if pace.due:
                with pace.step():
                    last = self._watch.look()
                audience.listen(last)
            audience.draw()
            left = until - time.monotonic()
            if self._ended or left <= 0:
                return last
            self._wait(min(pace.left, audience.every_s, left))

    def _wait(self, seconds: float) -> None:
        try:
            self._woken.get(timeout=seconds)
            while True:
                self._woken.get_nowait()
        except queue.Empty:
            pass
