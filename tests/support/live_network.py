"""Two hosts joined by a wire: network namespaces that end with the test, for live captures of a real kernel's TCP."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

CLIENT, SERVER, PORT = "10.99.7.1", "10.99.7.2", 7000
KEEPALIVE, QUICK = (2, 1, 3), (1, 1, 2)  # time, interval, probes
# The far end has static neighbours: it vanishes by losing its address, and nothing on the wire says so.
SERVE = f"""
import socket, time
listening = socket.create_server(("{SERVER}", {PORT}))
connection, _ = listening.accept()
connection.recv(10)
connection.send(b"ok")
print("serving", flush=True)
time.sleep(30)
"""
CALL = f"""
import contextlib, socket, sys
connection = socket.create_connection(("{SERVER}", {PORT}))
connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
for option, value in zip((socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT), sys.argv[1:]):
    connection.setsockopt(socket.IPPROTO_TCP, option, int(value))
connection.send(b"hello")
connection.recv(10)
print("idle", flush=True)
with contextlib.suppress(OSError):
    connection.recv(10)
"""


class Hosts(NamedTuple):
    """The names of the two namespaces, and of the client's interface."""

    client: str
    server: str
    interface: str = "near"

    def vanish(self) -> None:
        """The server's host answers nothing any more."""
        _ip("-n", self.server, "address", "del", f"{SERVER}/24", "dev", "far")

    def unplug(self) -> None:
        """The client's interface goes down."""
        _ip("-n", self.client, "link", "set", self.interface, "down")

    def plug(self) -> None:
        """And up again."""
        _ip("-n", self.client, "link", "set", self.interface, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def two_hosts(client: str = "keepalive-a", server: str = "keepalive-b") -> Iterator[Hosts]:
    """The hosts, until the end of the block; their names begin so."""
    hosts = Hosts(f"{client}-{os.getpid()}", f"{server}-{os.getpid()}")
    with contextlib.ExitStack() as stack:
        for name in (hosts.client, hosts.server):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", "near", "netns", hosts.client, "type", "veth", "peer", "name", "far", "netns", hosts.server)
        macs = {"near": "02:00:00:00:07:01", "far": "02:00:00:00:07:02"}
        for name, link, address, other, theirs in (
            (hosts.client, "near", CLIENT, SERVER, "far"),
            (hosts.server, "far", SERVER, CLIENT, "near"),
        ):
            _ip("-n", name, "link", "set", link, "address", macs[link])
            _ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            _ip("-n", name, "link", "set", link, "up")
            _ip("-n", name, "neighbour", "replace", other, "lladdr", macs[theirs], "dev", link, "nud", "permanent")
        yield hosts


@contextlib.contextmanager
def talking(hosts: Hosts, keepalive: Sequence[int] = KEEPALIVE) -> Iterator[subprocess.Popen[bytes]]:
    """A connection with keepalive, idle from the beginning of the block on; yields the client's process."""
    with contextlib.ExitStack() as stack:
        processes = []
        for host, program, says in ((hosts.server, SERVE, None), (hosts.client, CALL, b"idle\n")):
            process = subprocess.Popen(
                ["ip", "netns", "exec", host, sys.executable, "-c", program, *map(str, keepalive)],
                stdout=subprocess.PIPE,
            )
            stack.callback(_end, process)
            processes.append(process)
            if says is None:
                _until_listening(host)
            else:
                assert process.stdout is not None
                assert process.stdout.readline() == says
        yield processes[1]


def _until_listening(host: str) -> None:
    for _ in range(200):
        command = ["ip", "netns", "exec", host, "cat", "/proc/net/tcp"]
        listening = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        if f":{PORT:04X} 00000000:0000 0A" in listening:
            return
    raise AssertionError("the server does not listen")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
