"""Sockets of every kind that a kernel has a timer for, between two hosts: what `keepalive sockets` is to tell apart."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from live_network import CLIENT, SERVER, Hosts

PORT = 7100
# Each connection says its kind in its first byte; the far end does what that kind is about.
FAR = f"""
import socket, threading, time
listening = socket.create_server(("{SERVER}", {PORT}))
listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
held = []
def serve(connection):
    kind = connection.recv(1)
    if kind == b"c":
        connection.close()
    held.append(connection)
print("listening", flush=True)
while True:
    serve(listening.accept()[0])
"""
NEAR = f"""
import contextlib, socket, sys
def connect(kind, keepalive=None):
    one = socket.create_connection(("{SERVER}", {PORT}))
    if keepalive:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in zip((socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT), keepalive):
            one.setsockopt(socket.IPPROTO_TCP, option, value)
    one.send(kind)
    print(kind.decode(), one.getsockname()[1], one.fileno(), flush=True)
    return one
armed = connect(b"a", (9, 5, 3))
bare = connect(b"b")
closed = connect(b"c")
shut = connect(b"f")
shut.shutdown(socket.SHUT_WR)
full = connect(b"p")
full.setblocking(False)
with contextlib.suppress(BlockingIOError):
    while True:
        full.send(b"x" * 4096)
asking = connect(b"q", (2, 1, 30))
sending = connect(b"s")
print("ready", flush=True)
sys.stdin.readline()
sending.send(b"x" * 100)
sys.stdin.readline()
"""


class Near:
    """The client's process: by kind the local port and the descriptor of each of its sockets."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.ports: dict[str, int] = {}
        self.fds: dict[str, int] = {}
        assert process.stdout is not None
        for line in iter(process.stdout.readline, b"ready\n"):
            kind, port, fd = line.decode().split()
            self.ports[kind], self.fds[kind] = int(port), int(fd)

    def send(self) -> None:
        """Send data on the connection `s`."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def all_kinds(hosts: Hosts) -> Iterator[Near]:
    """Sockets of all kinds on the client's host, in this block."""
    far = _start(hosts.server, FAR)
    try:
        assert far.stdout is not None
        assert far.stdout.readline() == b"listening\n"
        near = _start(hosts.client, NEAR)
        try:
            yield Near(near)
        finally:
            _end(near)
    finally:
        _end(far)


def _start(host: str, program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["ip", "netns", "exec", host, sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


__all__ = ["CLIENT", "PORT", "SERVER", "Near", "all_kinds"]
