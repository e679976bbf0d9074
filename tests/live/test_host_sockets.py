"""What `live` remembers of this host's sockets: owners that were visible once, what is new, what is gone, how often."""

from __future__ import annotations

from analyzer.errors import UsageError
from analyzer.host import Snapshot
from analyzer.live.host_sockets import GONE_KEPT, HostSockets
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Held, Owner, Process, Sighting, Socket, Timer
from analyzer.tcp import SECOND, State

LOCAL, PEER = Endpoint("10.0.0.1", 5000), Endpoint("10.0.0.2", 443)
OPEN = Socket(LOCAL, PEER, State.ESTABLISHED, Timer.NONE, inode=77, cookie=9, owners=(Owner(Process(12, "app"), 4),))
ALONE = OPEN._replace(owners=())


class Kernel:
    """Says what it is given, a second later each time."""

    def __init__(self, *sockets: Socket) -> None:
        self.sockets = list(sockets)
        self.time = 100.0
        self.refuses = False

    def __call__(self) -> Snapshot:
        if self.refuses:
            raise UsageError("no such list here")
        self.time += 1
        return Snapshot(self.time, list(self.sockets))


def seen(known: HostSockets) -> tuple[Sighting, ...]:
    """What is known of the one connection, which has begun before it was seen."""
    return tuple(one.sighting for one in known.sightings.of((LOCAL, PEER), 0))


def test_owners_that_were_visible_stay_those_of_the_same_socket() -> None:
    kernel = Kernel(OPEN)
    known = HostSockets(print, kernel)
    for other, owners in ((ALONE, OPEN.owners), (ALONE._replace(inode=0, cookie=0), OPEN.owners)):
        known.look()
        kernel.sockets = [other]
        known.look()
        [one] = seen(known)
        assert (one.socket.owners, one.gone) == (owners, False)
        kernel.sockets = [OPEN]
    known.look()
    kernel.sockets = [ALONE._replace(cookie=10)]  # another one with the same ends
    known.look()
    [one] = seen(known)
    assert one.socket.owners == ()


def test_what_is_new_is_what_connections_are_looked_at_for() -> None:
    kernel = Kernel(OPEN)
    known = HostSockets(print, kernel)
    news = [len(known.look()), len(known.look())]
    kernel.sockets = [OPEN._replace(timer=Timer.KEEPALIVE, timer_left=5.0)]
    news += [len(known.look()), len(known.look())]
    assert news == [1, 0, 1, 0]
    listening = OPEN._replace(state=State.LISTEN, peer=Endpoint("0.0.0.0", 0))
    assert len(HostSockets(print, Kernel(listening)).look()) == 0


def test_what_is_gone_is_known_as_it_was_last_until_its_ends_are_used_again() -> None:
    kernel = Kernel(OPEN._replace(timer=Timer.KEEPALIVE, unanswered=3))
    known = HostSockets(print, kernel)
    known.look()
    kernel.sockets = []
    known.look()
    [one] = seen(known)
    assert (one.gone, one.keepalive, one.socket.unanswered, one.at) == (True, None, 3, 101 * SECOND)
    assert known.sightings.of((LOCAL, PEER), 102 * SECOND) == ()  # a connection that began later
    assert known.sightings.of((PEER, LOCAL), 0) == (Held("server", one),)
    kernel.sockets = [OPEN]
    known.look()
    [one] = seen(known)
    assert (one.gone, one.keepalive) == (False, False)


def test_of_those_that_are_gone_the_last_are_remembered() -> None:
    kernel = Kernel(OPEN, *(OPEN._replace(local=Endpoint("10.0.0.3", port)) for port in range(1, GONE_KEPT + 9)))
    known = HostSockets(print, kernel)
    known.look()
    kernel.sockets = [OPEN]
    known.look()
    assert len(known.sightings) == GONE_KEPT + 1


def test_a_kernel_that_does_not_say_is_asked_no_more_and_that_is_told_once() -> None:
    told: list[str] = []
    kernel = Kernel(OPEN)
    known = HostSockets(told.append, kernel)
    assert known.due
    known.look()
    assert not known.due
    known.hasten()  # the first time takes the longest
    assert known.due
    kernel.refuses = True
    assert len(known.look()) == len(known.look()) == 0
    assert told == ["the sockets of this host are not known: no such list here"]
    [one] = seen(known)
    assert (one.gone, one.keepalive) == (True, None)
    assert not known.due
