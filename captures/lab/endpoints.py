"""Connections made by the script: their sockets, what was set on them, and what became of them."""

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernel import SocketRow, read_sockets
from network import ADDRESSES, Namespace

TCP_REPAIR = 19
TCP_INFO_PROBES = 3
SO_ERROR_WAIT_S = 5.0
BACKLOG = 64
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True)
class Keepalive:
    """The settings of one socket, in the words of the sysctls that they override."""

    time: int
    intvl: int
    probes: int
    user_timeout_s: float | None = None

    def apply(self, sock: socket.socket) -> None:
        """Set them and switch keepalive on."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self.time)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, self.intvl)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, self.probes)
        if self.user_timeout_s is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self.user_timeout_s * 1000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@dataclass
class Endpoint:
    """One end of a connection."""

    role: str
    namespace: Namespace
    address: tuple[str, int]
    peer: tuple[str, int]
    keepalive: Keepalive | None = None
    handle: socket.socket | None = None
    error: int = 0
    state: str | None = None
    # The kernel's count of unanswered probes at the end, of a socket that is then still open.
    probes_out: int | None = None
    # It gave up, too, though another end of the connection came first.
    gave_up_too: bool = False
    # It does not hear all that the recording has for it: its kernel counts answered probes as unanswered.
    deaf: bool = False
    # Probes that the script sent in the kernel's place.
    injected: int = 0

    @property
    def sock(self) -> socket.socket:
        """The socket, which must still be ours."""
        if self.handle is None:
            raise RuntimeError(f"the {self.role} no longer has its socket")
        return self.handle

    def set_keepalive(self, keepalive: Keepalive) -> None:
        """Switch keepalive on, now."""
        self.keepalive = keepalive
        keepalive.apply(self.sock)

    def send(self, size: int) -> None:
        """Write some bytes of no meaning."""
        self.sock.sendall(b"keepalive "[: size % 10] + b"keepalive " * (size // 10))

    def receive(self, size: int) -> None:
        """Read exactly so many bytes."""
        while size:
            chunk = self.sock.recv(size)
            if not chunk:
                raise RuntimeError(f"the {self.role} read the end of the stream with {size} bytes to come")
            size -= len(chunk)

    def shut(self) -> None:
        """Say that nothing more will be sent, and keep the socket."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close in order."""
        self.note_error()
        self.sock.close()
        self.handle = None

    def abort(self) -> None:
        """Close with a reset, as an application does with linger 0."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def forget(self) -> None:
        """Lose the connection without a word, as a host does that crashed and came back."""
        self.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.close()

    def probes_unanswered(self) -> int:
        """The kernel's own count of the probes that nothing has answered."""
        return self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[TCP_INFO_PROBES]

    def note_error(self) -> None:
        """Keep the error that the kernel left on the socket."""
        if self.handle is not None:
            self.error = self.error or self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def note_state(self, rows: Sequence[SocketRow] | None = None) -> None:
        """Keep the kernel's state of this end; a socket that its table does not list is closed."""
        if self.state is None:
            rows = read_sockets(self.namespace) if rows is None else rows
            self.state = next(
                (row.state for row in rows if (row.local, row.peer) == (self.address, self.peer)), "CLOSED"
            )
            if self.handle is not None and self.state != "CLOSED":
                self.probes_out = self.probes_unanswered()

    def error_name(self) -> str | None:
        """The error in words, such as ETIMEDOUT."""
        return errno.errorcode[self.error] if self.error else None


@dataclass(frozen=True)
class Ending:
    """How a connection ended, in the words of the output contract."""

    how: str
    by: str | None = None
    why: str | None = None


@dataclass(frozen=True)
class Beats:
    """Heartbeats of an application, and by which share at most one comes early or late.

    Those of a protocol that is known by its bytes are counted to the last one, and so are their replies.
    """

    sender: str
    period_s: float
    jitter: float
    sent: int
    protocol: str = "periodic"
    answered: int | None = None


@dataclass(frozen=True)
class Shown:
    """Heartbeats that a program sends of its own accord: they are counted when all is recorded, see `dissected.py`.

    `ping` and `pong` are display filters of Wireshark, for which tshark gets the options; or `ping` is what the program
    at the other end prints of each, and `log` where it does.
    """

    sender: str
    period_s: float
    protocol: str
    ping: str
    pong: str = ""
    options: Sequence[str] = ()
    log: Path | None = None
    jitter: float = 0.02


@dataclass
class Talk:
    """One connection from first SYN to what is left of it."""

    client: Endpoint
    server: Endpoint
    opened: float = field(default_factory=time.time)
    handshake: str = "complete"
    ending: Ending = field(default_factory=lambda: Ending("open"))
    verdict: str = "healthy"
    # Why the kernel leaves no error on a socket that it gave up, where that is so.
    errors_unknown: str | None = None
    # None: nobody looked for any.
    beats: list[Beats] | None = None
    shown: list[Shown] = field(default_factory=list)
    # As the server's side of a NAT has it: at the client's host it has another address.
    translated: bool = False

    @property
    def addresses(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The 4-tuple."""
        return self.client.address, self.server.address

    def end(self, role: str) -> Endpoint:
        """One end by its role."""
        return self.client if role == "client" else self.server

    def exchange(self, request: int, reply: int) -> None:
        """A request and its reply."""
        self.client.send(request)
        self.server.receive(request)
        self.server.send(reply)
        self.client.receive(reply)

    def outcome(self, verdict: str, how: str, by: str | None = None, why: str | None = None) -> None:
        """State what the script made happen; the kernel's word is held against it."""
        self.verdict, self.ending = verdict, Ending(how, by, why)

    def note(self, tables: Mapping[str, Sequence[SocketRow]] | None = None) -> None:
        """Keep errors and states as they are now, or stand in socket tables read just now."""
        for end in (self.client, self.server):
            end.note_error()
            end.note_state(tables[end.role] if tables else None)

    def drop_sockets(self) -> None:
        """Close what is still open, once nothing is recorded any more."""
        for end in (self.client, self.server):
            if end.handle is not None:
                with contextlib.suppress(OSError):
                    end.handle.close()


def open_listener(
    namespace: Namespace, address: tuple[str, int], family: int, receive_buffer: int | None, protocol: int = 0
) -> socket.socket:
    """A listening socket in a namespace."""
    with namespace.entered():
        listener = socket.socket(FAMILIES[family], socket.SOCK_STREAM, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    listener.bind(address)
    listener.listen(BACKLOG)
    listener.settimeout(SO_ERROR_WAIT_S)
    return listener


def open_client(namespace: Namespace, address: tuple[str, int], family: int, protocol: int = 0) -> socket.socket:
    """A socket that will connect from a known port, so that recordings of one scenario look alike."""
    with namespace.entered():
        sock = socket.socket(FAMILIES[family], socket.SOCK_STREAM, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(SO_ERROR_WAIT_S)
    sock.bind(address)
    return sock


def new_talk(hosts: dict[str, Namespace], family: int, ports: tuple[int, int], loopback: bool) -> Talk:
    """A connection that is about to be made."""
    names = {role: ADDRESSES[role, family] for role in ("client", "server")}
    if loopback:
        names = dict.fromkeys(names, {4: "127.0.0.1", 6: "::1"}[family])
    client, server = (names["client"], ports[0]), (names["server"], ports[1])
    return Talk(
        Endpoint("client", hosts["client"], client, server),
        Endpoint("server", hosts["server"], server, client),
    )
