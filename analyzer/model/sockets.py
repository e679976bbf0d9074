"""A TCP socket as its kernel has it: its timer, its silence, its queues, its owners."""

from __future__ import annotations

from enum import StrEnum
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


BY_TIMER = {Timer.NONE.value: False, Timer.KEEPALIVE.value: True}
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


class Owner(NamedTuple):
    """A descriptor that holds a socket."""

    process: Process
    fd: int

    def __str__(self) -> str:
        """As ss(8) has it: `python3 (pid 123, fd 7)`."""
        return f"{self.process.command} (pid {self.process.pid}, fd {self.fd})"


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
        return BY_TIMER.get(self.timer.value) if self.state in MAY_PROBE else None


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
