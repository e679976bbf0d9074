"""Connections that say a word and then are silent, between two hosts, each with the keepalive that it is given."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from live_network import CLIENT, SERVER, Hosts

PORT = 7200
# Of the client. Where no handshake is captured, a port that is known as a service is taken for the server's.
FIRST_PORT = 61_000
Keepalive = tuple[int, int, int] | None
FAR = f"""
import socket
listening = socket.create_server(("{SERVER}", {PORT}))
print("listening", flush=True)
held = []
while True:
    held.append(listening.accept()[0])
"""
# A user who is not root may see descriptors of its own processes, if they are dumpable (prctl(2)).
NEAR = f"""
import ctypes, encodings.idna, json, os, socket, sys
keepalives, user = json.loads(sys.argv[1]), int(sys.argv[2])
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    ctypes.CDLL(None).prctl(4, ctypes.c_ulong(1), 0, 0, 0)
sockets = []
first = {FIRST_PORT} + bool(user) * 100
for place, keepalive in enumerate(keepalives):
    one = socket.create_connection(("{SERVER}", {PORT}), source_address=("{CLIENT}", first + place))
    if keepalive:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in zip((socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT), keepalive):
            one.setsockopt(socket.IPPROTO_TCP, option, value)
    sockets.append(one)
print(json.dumps([[one.getsockname()[1], one.fileno()] for one in sockets]), flush=True)
for line in sys.stdin:
    for one in sockets:
        one.send(b"hello")
"""


class Idle:
    """The client's process: its pid, and the port and descriptor of each of its sockets."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self.pid = process.pid
        ends = json.loads(process.stdout.readline())
        self.ports = [port for port, _ in ends]
        self.fds = [fd for _, fd in ends]

    def speak(self) -> None:
        """A word on each connection; then silence."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def holder(self, place: int) -> str:
        """As findings name it."""
        return f"python (pid {self.pid}, fd {self.fds[place]})"


@contextlib.contextmanager
def far_end(hosts: Hosts) -> Iterator[None]:
    """The server, which says nothing and closes nothing, in this block."""
    with _started(hosts.server, FAR) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield


@contextlib.contextmanager
def idle(hosts: Hosts, *keepalives: Keepalive, user: int = 0) -> Iterator[Idle]:
    """A process of the client's host with so many connections, in this block."""
    with _started(hosts.client, NEAR, json.dumps(keepalives), str(user)) as process:
        yield Idle(process)


@contextlib.contextmanager
def _started(host: str, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command: Sequence[str] = ["ip", "netns", "exec", host, sys.executable, "-c", program, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
