"""TCP sockets as /proc/net/tcp lists them, where netlink is refused: timers and queues, but no idle times (proc(5))."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from analyzer.host.diag import MAPPED, STATES
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import OwnersOf, Socket, Timer, nobody
from analyzer.tcp import State

USER_HZ = 100  # jiffies of /proc, whatever the kernel's own are
# net/ipv4/tcp_ipv4.c get_tcp4_sock.
TIMERS = {0: Timer.NONE, 1: Timer.RETRANSMIT, 2: Timer.KEEPALIVE, 3: Timer.TIME_WAIT, 4: Timer.PERSIST}


def read_sockets(netns: str = "", owners_of: OwnersOf = nobody, folder: Path = Path("/proc/net")) -> list[Socket]:
    """All of the network namespace of this process; raises OSError where they cannot be read. See `host.diag`."""
    found = list(_sockets(folder / "tcp", netns, owners_of))
    if (folder / "tcp6").exists():
        found += _sockets(folder / "tcp6", netns, owners_of)
    return found


def _sockets(path: Path, netns: str, owners_of: OwnersOf) -> Iterator[Socket]:
    for line in path.read_text().splitlines()[1:]:
        _, local, peer, state, queues, timer, retransmits, uid, probes, inode, *_ = line.split()
        send, recv = queues.split(":")
        kind, left = timer.split(":")
        which = TIMERS.get(int(kind, 16), Timer.UNKNOWN)
        number = int(state, 16)
        asked = which in (Timer.KEEPALIVE, Timer.PERSIST)
        yield Socket(
            _endpoint(local),
            _endpoint(peer),
            STATES[number] if number < len(STATES) else State.UNKNOWN,
            which,
            int(left, 16) / USER_HZ if which is not Timer.NONE else None,
            int(probes) if asked else int(retransmits, 16),
            recv_queue=int(recv, 16),
            send_queue=int(send, 16),
            uid=int(uid),
            inode=int(inode),
            netns=netns,
            owners=owners_of(int(inode)),
        )


def _endpoint(text: str) -> Endpoint:
    """`0100007F:1F90`: words of four bytes in the host's order."""
    address, port = text.split(":")
    octets = b"".join(struct.pack("=I", int(address[place : place + 8], 16)) for place in range(0, len(address), 8))
    if octets[: len(MAPPED)] == MAPPED:
        octets = octets[len(MAPPED) :]
    family = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return Endpoint(socket.inet_ntop(family, octets), int(port, 16))
