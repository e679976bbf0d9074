"""`keepalive live -i lo` on a loaded loopback of its own: what it counted, and its time beside its tcpdump's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

LONGEST_S = 60
SETTLES_S = 1.0
TICKS = os.sysconf("SC_CLK_TCK")
CAPTURED = re.compile(r"^(\d+) packets? captured", re.MULTILINE)
DROPPED = re.compile(r"^(\d+) packets? dropped by kernel", re.MULTILINE)
OUR_DROPPED = re.compile(r"(\d+) packets dropped by the kernel")
# In front of tcpdump: what it says is kept, too, and goes on to whom it is for.
IN_FRONT = """#!/bin/bash
exec {tcpdump} "$@" 2> >(exec tee {said} >&2)
"""
SERVE = """
import selectors, socket, sys
size, connections, port = map(int, sys.argv[1:])
waiting = selectors.DefaultSelector()
with socket.create_server(("127.0.0.1", port)) as listening:
    print("ready", flush=True)
    for _ in range(connections):
        waiting.register(listening.accept()[0], selectors.EVENT_READ)
while waiting.get_map():
    for key, _ in waiting.select():
        bytes = key.fileobj.recv(1 << 20)
        if not bytes:
            waiting.unregister(key.fileobj)
            key.fileobj.close()
        elif size < 1 << 16:
            key.fileobj.send(bytes)
"""
SEND = """
import socket, sys, time
size, connections, port, seconds = map(int, sys.argv[1:])
ends = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
until = time.monotonic() + seconds
bytes = bytes(size)
while time.monotonic() < until:
    for end in ends:
        end.sendall(bytes)
    if size < 1 << 16:
        for end in ends:
            end.recv(size)
"""


class Traffic(NamedTuple):
    """So many connections that send so many bytes at a time; fewer than 64 KB are sent back."""

    name: str
    size: int
    connections: int


TRAFFIC = (Traffic("requests", 64, 32), Traffic("bulk", 1 << 20, 1))


class Beside(NamedTuple):
    """One run: packets as tcpdump and we counted them, and processor time while they came."""

    name: str
    captured: int
    counted: int
    dropped: int
    dropped_told: int
    tcpdump_s: float
    ours_s: float
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether we lost nothing, and told what the kernel dropped."""
        return self.captured == self.counted > 0 and self.dropped == self.dropped_told


def run_beside(live: Sequence[str], traffic: Traffic, seconds: int) -> Beside:
    """Capture that traffic for so long; needs the right to make a network namespace."""
    with tempfile.TemporaryDirectory() as folder, _namespace() as inside:
        said, output = Path(folder) / "said", Path(folder) / "output"
        Path(folder).chmod(0o755)
        front = Path(folder) / "tcpdump"
        front.write_text(IN_FRONT.format(tcpdump=shutil.which("tcpdump"), said=said))
        front.chmod(0o755)
        variables = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
        command = [*inside, *live, "-i", "lo", "--format", "ndjson"]
        with (
            output.open("wb") as out,
            subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=variables, text=True) as run,
        ):
            watchdog = threading.Timer(LONGEST_S, run.kill)
            watchdog.start()
            assert run.stderr is not None
            if "capturing" not in (line := run.stderr.readline()):
                raise RuntimeError(line + run.stderr.read())
            before, began = _processor_times(run.pid), time.monotonic()
            _send(inside, traffic, seconds)
            took = time.monotonic() - began
            time.sleep(SETTLES_S)
            after = _processor_times(run.pid)
            run.send_signal(signal.SIGINT)
            notes = run.stderr.read()
            run.wait()
            watchdog.cancel()
        stated = said.read_text()
        captures = [line for line in output.read_text().splitlines() if line.startswith('{"type": "capture"')]
    return Beside(
        traffic.name,
        _number(CAPTURED, stated),
        sum(json.loads(line)["packets"] for line in captures),
        _number(DROPPED, stated),
        _number(OUR_DROPPED, notes),
        after[0] - before[0],
        after[1] - before[1],
        took,
    )


def _send(inside: Sequence[str], traffic: Traffic, seconds: int) -> None:
    numbers = [str(traffic.size), str(traffic.connections), "7000"]
    with subprocess.Popen([*inside, sys.executable, "-c", SERVE, *numbers], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        subprocess.run([*inside, sys.executable, "-c", SEND, *numbers, str(seconds)], check=True, timeout=LONGEST_S)


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.findall(text)
    return int(found[-1]) if found else 0


@contextlib.contextmanager
def _namespace() -> Iterator[list[str]]:
    """A network namespace with a loopback alone; what to put before a command that is to run in it."""
    name = f"keepalive-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def _processor_times(pid: int) -> tuple[float, float]:
    """Seconds that tcpdump has used below this process, and that it and all others below it have."""
    tcpdump, ours = 0.0, 0.0
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            words = rest.split()
            parents[int(path.parent.name)] = int(words[1]), name, (int(words[11]) + int(words[12])) / TICKS
    for one, (_, name, seconds) in parents.items():
        above = one
        while above != pid and above in parents:
            above = parents[above][0]
        if above == pid:
            tcpdump += seconds * (name == "tcpdump")
            ours += seconds * (name not in ("tcpdump", "tee"))
    return tcpdump, ours
