"""Programs that are not ours on the stage: built, started, and their sockets looked at through the kernel."""

import contextlib
import ctypes
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from endpoints import FAMILIES, Endpoint, Keepalive, Talk
from network import Namespace, run
from stage import Stage

SOURCES = Path(__file__).resolve().parent / "programs"
SYS_PIDFD_GETFD = 438
# A program sets its options right after the connection is made.
SETTINGS_WITHIN_S = 0.6

_libc = ctypes.CDLL(None, use_errno=True)


def build_go(name: str, folder: Path) -> Path:
    """Compile one of the Go programs."""
    target = folder / name
    run("go", "build", "-o", str(target), str(SOURCES / f"{name}.go"))
    return target


def start(stage: Stage, role: str, *command: str) -> "subprocess.Popen[bytes]":
    """Start a program on one of the hosts; what it prints stays in the work directory, in a file of its name."""
    name = Path(command[0]).name
    names = itertools.chain([f"{name}.log"], (f"{name}-{number}.log" for number in itertools.count(2)))
    with (stage.folder / next(one for one in names if not (stage.folder / one).exists())).open("wb") as output:
        return stage.network.hosts[role].start(command, output)


def adopt(stage: Stage, count: int) -> list[Talk]:
    """Make connections out of the sockets of running programs, as soon as there are so many new ones."""
    stage.wait_for(lambda: len(_pairs(stage)) >= count, within=20)
    stage.sleep(SETTINGS_WITHIN_S)
    pairs = _pairs(stage)
    if len(pairs) != count:
        raise RuntimeError(f"{len(pairs)} connections between the programs, not {count}")
    for (local, peer), client, server in pairs:
        talk = Talk(
            Endpoint("client", stage.client, local, peer, client),
            Endpoint("server", stage.server, peer, local, server),
            # It was made before now, but not before the recording.
            opened=stage.captured_from,
            errors_unknown="the socket is the program's own",
        )
        stage.talks.append(talk)
    return stage.talks[-count:]


def serve(stage: Stage, port: int, *command: str) -> "subprocess.Popen[bytes]":
    """Start a program on the server's host, and wait until it listens."""
    process = start(stage, "server", *command)
    stage.wait_for(lambda: f":{port} " in stage.server.run("ss", "-tlnH"), within=40)
    time.sleep(0.05)
    return process


def note_versions(stage: Stage, *programs: Sequence[str]) -> None:
    """Say in the README what was run: the first line of what each command prints of itself."""
    said = (subprocess.run(command, capture_output=True, text=True, check=True) for command in programs)
    versions = ((done.stdout or done.stderr).strip().splitlines()[0] for done in said)
    stage.note(f"Programs: {'; '.join(versions)}. The settings were read from their sockets.")


Pair = tuple[tuple[str, int], tuple[str, int]]


def _pairs(stage: Stage) -> list[tuple[Pair, Keepalive | None, Keepalive | None]]:
    """The new connections of which both hosts have an end, with the settings of the client's and the server's."""
    known = {talk.addresses for talk in stage.talks}
    ends = {role: dict(_sockets(stage.network.hosts[role])) for role in ("client", "server")}
    return [
        ((local, peer), keepalive, ends["server"][peer, local])
        for (local, peer), keepalive in sorted(ends["client"].items(), key=lambda end: end[0])
        if (peer, local) in ends["server"] and (local, peer) not in known
    ]


def _sockets(namespace: Namespace) -> Iterator[tuple[Pair, Keepalive | None]]:
    """Those of all processes that live in a namespace: a server may have given a connection to a child."""
    for pid in run("ip", "netns", "pids", namespace.name).split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            yield from _connected(int(pid))


def _connected(pid: int) -> Iterator[tuple[Pair, Keepalive | None]]:
    """The connected TCP sockets of another process: addresses and keepalive."""
    for descriptor in sorted(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()):
        if not str(Path(f"/proc/{pid}/fd/{descriptor}").readlink()).startswith("socket:"):
            continue
        # Held no longer than it takes to look: a second holder would keep the other's close() from the wire.
        with socket.socket(fileno=_borrow(pid, descriptor)) as sock:
            if sock.family not in FAMILIES.values() or sock.type != socket.SOCK_STREAM:
                continue
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
