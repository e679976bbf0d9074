"""How long `keepalive sockets` takes for many sockets, beside `ss -tanop`, which also looks for the owners (root)."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import median_ratio, run_interleaved, spread

MOST_S = 1.0  # for 50,000
PER_PROCESS = 9_000  # pairs: a process has so many descriptors
OURS, JSON, PEER, BARE = "sockets", "json", "ss -tanop", "ss -tan"


def main() -> int:
    """Measure; exit with 1 when so many sockets take longer than MOST_S."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", type=shlex.split, default=["keepalive"])
    parser.add_argument("--sockets", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with namespace(options.sockets // 2) as name, tempfile.TemporaryDirectory() as folder:
        there = ["ip", "netns", "exec", name]
        commands = {
            OURS: [*there, *options.command, "sockets"],
            JSON: [*there, *options.command, "sockets", "--format", "json"],
            PEER: [*there, "ss", "-tanop"],
            BARE: [*there, "ss", "-tan"],
        }
        usages = run_interleaved(commands, options.runs, Path(folder))
    print(f"{options.sockets:,} sockets: {'wall: minimum':>16}{'median':>9}{'user+sys: median':>18}{'of ' + PEER:>16}")
    for what, runs in usages.items():
        wall, cpu = spread(runs, "wall"), spread(runs, "cpu")
        ratio = median_ratio(runs, usages[PEER], "wall")
        print(f"{what:16}{wall.minimum:16.3f}{wall.median:9.3f}{cpu.median:18.3f}{ratio:16.2f}")
    return int(spread(usages[OURS], "wall").median > MOST_S)


@contextlib.contextmanager
def namespace(pairs: int) -> Iterator[str]:
    """A network namespace with so many connections over its loopback, in this block."""
    name = f"bench-sockets-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    holders: list[subprocess.Popen[bytes]] = []
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        for number, left in enumerate(range(pairs, 0, -PER_PROCESS)):
            command = [sys.executable, __file__, "--hold", str(number), str(min(left, PER_PROCESS))]
            holders.append(subprocess.Popen(["ip", "netns", "exec", name, *command], stdout=subprocess.PIPE))
        for holder in holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
        yield name
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
        subprocess.run(["ip", "netns", "del", name], check=True)


def hold(number: int, pairs: int) -> None:
    """Make so many connections, every other end with keepalive, and keep them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listening = socket.create_server(("127.0.1.1", 9000 + number), backlog=1000)
    held = []
    for _ in range(pairs):
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        held += [client, server]
    print("ready", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold(int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
