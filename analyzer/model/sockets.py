"""A TCP socket as its kernel has it: its timer, its silence, its queues, its owners."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from analyzer.model.flows import Endpoint
from analyzer.tcp import State


class Timer(StrEnum):
    """Which of a socket's timers runs, as ss(8) calls it but for `none`: one at a time (net/ipv4/inet_diag.c)."""

    NONE = "none"
    RETRANSMIT = "on"  # data, or a SYN, waits for its acknowledgement
    KEEPALIVE = "keepalive"
    TIME_WAIT = "timewait"
    PERSIST = "persist"  # the peer's window is closed
    UNKNOWN = "unknown"


# What a look takes, and a timer's slack.
SLACK_S = 0.25
ARMED, DISARMED = Timer.KEEPALIVE, Timer.NONE  # asked for of each socket; an enumeration takes its time to tell
# What has no peer, or nobody to talk to it.
LIFELESS = frozenset((State.LISTEN, State.CLOSED, State.TIME_WAIT, State.SYN_RECEIVED))
MAY_PROBE = frozenset((State.ESTABLISHED, State.CLOSE_WAIT))


class Process(NamedTuple):
    """A process that holds sockets; `since` is when it began, in seconds since 1970."""

    pid: int
    command: str
    user: str = ""
    since: float | None = None
    executable: str = ""
    runtime: str = ""  # what it is written in, where the executable shows that: `go1.8.3`, `java`, `python`, `node`
    unit: str = ""  # of systemd
    container: str = ""
    pod: str = ""

    def __str__(self) -> str:
        """`python3 (pid 123)`."""
        return f"{self.command} (pid {self.pid})"


class Owner(NamedTuple):
    """A descriptor that holds a socket."""

    process: Process
    fd: int

    def __str__(self) -> str:
        """As ss(8) has it: `python3 (pid 123, fd 7)`."""
        return f"{self.process.command} (pid {self.process.pid}, fd {self.fd})"


OwnersOf = Callable[[int], tuple[Owner, ...]]  # of an inode


def nobody(inode: int) -> tuple[Owner, ...]:
    """The owners where nobody has looked for them."""
    return ()


class Options(NamedTuple):
    """A socket's keepalive options, in seconds and probes, as getsockopt(2) has them; TCP_USER_TIMEOUT 0: none."""

    keepalive: bool
    idle: int
    interval: int
    probes: int
    user_timeout_ms: int


class Socket(NamedTuple):
    """One TCP socket. Seconds; None is what whoever told of it does not say."""

    local: Endpoint
    peer: Endpoint
    state: State
    timer: Timer = Timer.UNKNOWN
    timer_left: float | None = None
    unanswered: int = 0  # probes without a reply, or retransmissions, in a row
    received_ago: float | None = None  # since data came last
    sent_ago: float | None = None  # since data was sent last
    heard_ago: float | None = None  # since an acknowledgement came last
    recv_queue: int = 0
    send_queue: int = 0
    retransmissions: int | None = None  # of all its life
    rtt: float | None = None
    uid: int | None = None
    inode: int = 0
    cookie: int = 0  # the kernel's name for it: no other socket has it until the next boot
    cgroup: int = 0
    netns: str = ""
    options: Options | None = None
    owners: tuple[Owner, ...] = ()

    @property
    def idle(self) -> float | None:
        """For how long no data has passed, in seconds."""
        received, sent = self.received_ago, self.sent_ago
        if received is None or sent is None:
            return sent if received is None else received
        return received if received < sent else sent

    @property
    def keepalive(self) -> bool | None:
        """Whether SO_KEEPALIVE is on; None where neither its options nor its timer show it.

        The kernel keeps a keepalive timer pending on every established socket that has asked for one
        (net/ipv4/tcp_timer.c tcp_set_keepalive, tcp_keepalive_timer); another timer that runs hides it.
        """
        if self.options is not None:
            return self.options.keepalive
        # In FIN-WAIT-2 the same timer limits the wait for the peer's FIN.
        if self.state not in MAY_PROBE:
            return None
        return True if self.timer is ARMED else False if self.timer is DISARMED else None


class Sighting(NamedTuple):
    """A socket as it was when its host was last asked, in nanoseconds since 1970; `gone` where it is no more."""

    socket: Socket
    at: int | None = None
    gone: bool = False

    @property
    def keepalive(self) -> bool | None:
        """Whether SO_KEEPALIVE is on; None where that is not known, or not any more."""
        return None if self.gone else self.socket.keepalive


class Held(NamedTuple):
    """The socket of one side of a connection."""

    side: str
    sighting: Sighting

    @property
    def socket(self) -> Socket:
        """As it was seen last."""
        return self.sighting.socket

    @property
    def process(self) -> str:
        """Who holds it: `python3 (pid 123, fd 7)`; empty where that is not known."""
        return ", ".join(map(str, self.socket.owners))


class Suspect(NamedTuple):
    """Sockets of one process and one service that leak, or wait in vain, with what shows it and what mends it."""

    rule: str
    severity: str
    confidence: str
    summary: str
    remedy: str
    observed: str
    source: str
    sockets: tuple[Socket, ...]
    pid: int = 0  # of the process, 0 where it is not known
    service: Endpoint | None = None  # without an address where this host offers it

    @property
    def about(self) -> tuple[str, int, Endpoint | None]:
        """What it is about, at whatever time."""
        return self.rule, self.pid, self.service


class Change(NamedTuple):
    """What is new since the look before: `opened`, `closed`, `timer` of a socket, `suspect`, `withdrawn`."""

    kind: str
    time: float
    socket: Socket | None = None
    suspect: Suspect | None = None
    why: str = ""  # of a timer: `unanswered`, `re-armed`, `keepalive-on`, `keepalive-off`
    unanswered_before: int = 0


class Look(NamedTuple):
    """The selected sockets at one moment, and what is new; `began` is of the monotonic clock, `time` since 1970."""

    time: float
    began: float
    sockets: list[Socket]
    suspects: list[Suspect]
    unseen: int = 0  # processes whose descriptors cannot be seen
    idle_known: bool = True
    changes: tuple[Change, ...] = ()


class Sample(NamedTuple):
    """A socket's timer at one moment: seconds since 1970, and from then on; `heard_ago` as a Socket has it."""

    time: float
    timer: Timer
    left: float | None
    unanswered: int
    heard_ago: float | None


class Firing(NamedTuple):
    """A timer that fired: when, what of it was seen, and whether a probe was sent and replied to (None: none was)."""

    time: float
    answered: bool | None


class Course(NamedTuple):
    """A socket's timer over time."""

    socket: Socket
    samples: list[Sample]

    @property
    def firings(self) -> list[Firing]:
        """When its keepalive timer fired, between two looks: it was nearly over, and is armed anew.

        A probe that was replied to leaves a packet that was heard just now; one that was not is counted. Where neither
        is there, the kernel had found traffic since the timer was set, and waits for the rest (tcp_keepalive_timer).
        """
        found = []
        for before, after in pairwise(self.samples):
            if before.timer is not Timer.KEEPALIVE or after.timer is not Timer.KEEPALIVE:
                continue
            if before.left is None or after.left is None or after.left <= before.left:
                continue
            passed = after.time - before.time
            if before.left > passed + SLACK_S:  # set anew by other means
                continue
            answered = None
            if after.unanswered > before.unanswered:
                answered = False
            elif after.heard_ago is not None and after.heard_ago <= passed + SLACK_S:
                answered = True
            found.append(Firing(before.time + before.left, answered))
        return found
