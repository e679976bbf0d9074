"""Programs that are not ours on the stage: built, started, and their sockets looked at through the kernel."""

import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from endpoints import Endpoint, Keepalive, Talk
from network import run
from stage import Stage

SOURCES = Path(__file__).resolve().parent / "programs"
SYS_PIDFD_GETFD = 438

_libc = ctypes.CDLL(None, use_errno=True)


def build_go(name: str, folder: Path) -> Path:
    """Compile one of the Go programs."""
    target = folder / name
    run("go", "build", "-o", str(target), str(SOURCES / f"{name}.go"))
    return target


def start(stage: Stage, role: str, *command: str) -> "subprocess.Popen[bytes]":
    """Start a program on one of the hosts; what it prints stays in the work folder."""
    with (stage.folder / f"{Path(command[0]).name}.log").open("wb") as output:
        return stage.network.hosts[role].start(command, output)


def adopt(stage: Stage, client: int, server: int) -> list[Talk]:
    """Make connections out of the sockets of two running programs, with the settings that they have."""
    ends = {role: list(_connected(pid)) for role, pid in (("client", client), ("server", server))}
    settings = {pair: keepalive for pairs in ends.values() for pair, keepalive in pairs}
    talks = []
    for (local, peer), keepalive in sorted(ends["client"]):
        if (peer, local) not in settings:
            continue
        talk = Talk(
            Endpoint("client", stage.client, local, peer, keepalive),
            Endpoint("server", stage.server, peer, local, settings[peer, local]),
            # It was made before now, but not before the recording.
            opened=stage.captured_from,
        )
        talks.append(talk)
    stage.talks += talks
    return talks


Pair = tuple[tuple[str, int], tuple[str, int]]


def _connected(pid: int) -> Iterator[tuple[Pair, Keepalive | None]]:
    """The connected TCP sockets of another process: addresses and keepalive."""
    for descriptor in sorted(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()):
        if not str(Path(f"/proc/{pid}/fd/{descriptor}").readlink()).startswith("socket:"):
            continue
        # Held no longer than it takes to look: a second holder would keep the other's close() from the wire.
        with socket.socket(fileno=_borrow(pid, descriptor)) as sock:
            try:
                peer = sock.getpeername()
            except OSError:
                continue
            yield (_plain(sock.getsockname()), _plain(peer)), _keepalive(sock)


def _borrow(pid: int, descriptor: int) -> int:
    process = os.pidfd_open(pid)
    try:
        borrowed: int = _libc.syscall(SYS_PIDFD_GETFD, process, descriptor, 0)
    finally:
        os.close(process)
    if borrowed < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return borrowed


def _plain(address: tuple[str, int]) -> tuple[str, int]:
    # A Go server listens on IPv6 and has IPv4 peers in mapped form.
    return address[0].removeprefix("::ffff:"), address[1]


def _keepalive(sock: socket.socket) -> Keepalive | None:
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return None
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    return Keepalive(*(sock.getsockopt(socket.IPPROTO_TCP, option) for option in options))


def wait_until_listening(stage: Stage, port: int) -> None:
    """Wait until a program on the server's host listens."""
    stage.wait_for(lambda: f":{port} " in stage.server.run("ss", "-tlnH"), within=10)
    time.sleep(0.05)
