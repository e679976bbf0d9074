"""This host's own sockets beside what is captured on its interfaces: asked for again and again, as cheaply as can be.

Who may no longer see other users' processes keeps the owners that it saw before it gave up its rights. A socket that is
gone still says whose connection it was, and how its probes stood, but no more whether keepalive is on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from analyzer.errors import UsageError
from analyzer.host import Snapshot, take_snapshot
from analyzer.live.pace import Pace
from analyzer.measure.sockets import Sightings, join
from analyzer.model.columns import Facts
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Sighting, Socket
from analyzer.tcp import SECOND

LOOK_EVERY_S = 3.0
SHARE = 0.01  # of a processor, at most
GONE_KEPT = 1 << 14
Ends = tuple[Endpoint, Endpoint]


class HostSockets:
    """What this host's kernel said of its sockets last."""

    def __init__(self, notify: Callable[[str], None], ask: Callable[[], Snapshot] = take_snapshot) -> None:
        """`notify` is told when the kernel does not say any more."""
        self._notify = notify
        self._ask = ask
        self._pace = Pace(LOOK_EVERY_S, SHARE)
        self._open: dict[Ends, Sighting] = {}
        self._gone: dict[Ends, Sighting] = {}
        self.sightings = Sightings(())  # all that is known
        self._silent = False

    @property
    def due(self) -> bool:
        """Whether it is time to ask again."""
        return not self._silent and self._pace.due

    def hasten(self) -> None:
        """It is time to ask again."""
        self._pace.hasten()

    def look(self) -> Sightings:
        """Ask; what is new, or has changed its keepalive."""
        if self._silent:
            return Sightings(())
        with self._pace.step():
            try:
                snapshot = self._ask()
            except (OSError, UsageError) as error:
                self._notify(f"the sockets of this host are not known: {error}")
                self._silent = True
                snapshot = Snapshot(0, [])  # what was known is not true for ever
            return self._take(snapshot)

    def join(self, facts: Facts) -> Facts:
        """The same facts, with what is known of the sockets of these connections."""
        return join(facts, self.sightings)

    def _take(self, snapshot: Snapshot) -> Sightings:
        now, before = round(snapshot.time * SECOND), self._open
        self._open = {
            (one.local, one.peer): Sighting(_with_owners(one, before.get((one.local, one.peer))), now)
            for one in snapshot.sockets
            if one.peer.port
        }
        for ends in before.keys() - self._open.keys():
            self._gone[ends] = before[ends]._replace(gone=True)
        for ends in [*(self._gone.keys() & self._open.keys()), *list(self._gone)[: len(self._gone) - GONE_KEPT]]:
            self._gone.pop(ends, None)
        self.sightings = Sightings([*self._gone.values(), *self._open.values()])
        return Sightings(
            one for ends, one in self._open.items() if ends not in before or before[ends].keepalive is not one.keepalive
        )


def _with_owners(one: Socket, before: Sighting | None) -> Socket:
    """With the owners that it had, where they are not visible any more, or where nobody holds it now."""
    if one.owners or before is None or not before.socket.owners:
        return one
    same = one.cookie == before.socket.cookie or not one.inode
    return one._replace(owners=before.socket.owners) if same else one


def host_sockets(notify: Callable[[str], None]) -> HostSockets | None:
    """What this host knows of its sockets, asked for the first time; None where a system has no such list."""
    if sys.platform != "linux":
        return None
    known = HostSockets(notify)
    known.look()
    known.hasten()  # what the first time takes longer, imports and executables that are read, does not come again
    return known
