"""A soak put through `keepalive live -`: what is told, what is in the result, and the memory on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from soak import LONG_FROM, PORT_FROM, PORTS, PROBES, RECORD, Soak

GENERATOR = Path(__file__).with_name("soak.py")
SAMPLE_EVERY_S = 0.05
KIND_AT = len('{"type": "')
STREAM = b'"stream": '
SERVICE = b'"port": 5432}'  # of the long connections


class Sample(NamedTuple):
    """Resident memory once so many packets were sent: in bytes, and what of it is no page of a file."""

    packets: int
    resident: int
    anonymous: int


class Soaked:
    """What a run of one soak has shown."""

    def __init__(self, soak: Soak) -> None:
        self.soak = soak
        self.told: Counter[str] = Counter()  # events by type
        self.samples: list[Sample] = []
        self.seconds = 0.0  # until everything had been read
        self.flows: Counter[str] = Counter()  # by verdict
        self.wrong: list[str] = []
        total = soak.short + soak.long
        self._opened, self._closed, self._listed = (np.zeros(total, np.uint8) for _ in range(3))
        self._dead: set[int] = set()
        self._long: dict[int, dict[str, Any]] = {}  # flows by the number of the connection

    def hear(self, line: bytes, *, result: bool) -> None:
        """Take one line of output, an event or one of the `result`."""
        kind = line[KIND_AT : line.index(b'"', KIND_AT)].decode()
        if result and kind != "flow":
            return
        if kind in ("finding", "recovered", "result", "withdrawn"):
            self.told[kind] += 1
            return
        at = line.index(STREAM) + len(STREAM)
        stream = int(line[at : line.index(b",", at)])
        if result:
            self._listed[stream] += 1
            at = line.index(b'"verdict": "') + len('"verdict": "')
            self.flows[line[at : line.index(b'"', at)].decode()] += 1
            if SERVICE in line:
                flow = json.loads(line)
                self._long[_number(flow)] = flow
            return
        self.told[kind] += 1
        if kind == "connection-opened":
            self._opened[stream] += 1
        elif kind == "closed":
            self._closed[stream] += 1
        elif kind == "dead-peer":
            self._dead.add(stream)

    def judge(self) -> list[str]:
        """What is not as it should be; nothing, where all is."""
        soak, told, wrong = self.soak, self.told, list(self.wrong)
        answered, unanswered = soak.probes()
        counts = {
            "connection-opened": soak.short + soak.long,
            "closed": soak.short,
            "probe": answered + unanswered,
            "answered": answered,
            "unanswered": unanswered,
            "dead-peer": soak.dying,
            "reset": soak.dying,
        }
        wrong += [f"{told[kind]} {kind}, not {count}" for kind, count in counts.items() if told[kind] != count]
        flows = {"closed": soak.short, "dead_peer": soak.dying, "healthy": soak.long - soak.dying}
        if self.flows != flows:
            wrong.append(f"flows {dict(self.flows)}, not {flows}")
        for name, seen in (("opened", self._opened), ("in the result", self._listed)):
            if not (seen == 1).all():
                wrong.append(f"{np.count_nonzero(seen != 1)} connections not {name} once")
        if set(self._long) != set(range(soak.long)):
            return [*wrong, f"{len(self._long)} long connections, not {soak.long}"]
        long = {flow["stream"] for flow in self._long.values()}
        short = np.ones(len(self._closed), bool)
        short[list(long)] = False
        if not (self._closed == short).all():
            wrong.append("not every short connection was told closed once")
        if self._dead != {self._long[number]["stream"] for number in range(soak.dying)}:
            wrong.append("not those are dead whose peers are")
        wrong += [f"long connection {number}: {text}" for number in range(soak.long) if (text := self._differs(number))]
        return wrong

    def _differs(self, number: int) -> str:
        """What is wrong with one of the long connections."""
        soak, flow = self.soak, self._long[number]
        dying = number < soak.dying
        verdict, unanswered = ("dead_peer", PROBES) if dying else ("healthy", 0)
        answered = len(soak.rounds(number))
        [entry] = flow["keepalive"] or [dict.fromkeys(("answered", "unanswered"), 0)]
        seen = flow["verdict"], entry["answered"], entry["unanswered"]
        return "" if seen == (verdict, answered, unanswered) else f"{seen}, not {(verdict, answered, unanswered)}"

    def tenths(self, level: Callable[[Iterable[int]], float] = median) -> list[tuple[float, ...]]:
        """Resident and anonymous memory in each tenth of the packets: its median, or `max` for the peaks of looks."""
        parts: list[list[Sample]] = [[] for _ in range(10)]
        for sample in self.samples:
            parts[min(10 * sample.packets // self.soak.packets, 9)].append(sample)
        return [tuple(map(level, zip(*(sample[1:] for sample in part), strict=True))) for part in parts]


def put_through(soak: Soak, live: Sequence[str]) -> Soaked:
    """Run `live - --format ndjson` on it, both as processes of their own."""
    soaked = Soaked(soak)
    command = [sys.executable, str(GENERATOR), *map(str, soak)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as source,
        subprocess.Popen([*live, "-", "--format", "ndjson"], stdin=source.stdout, stdout=subprocess.PIPE) as run,
    ):
        assert source.stdout is not None
        assert run.stdout is not None
        source.stdout.close()  # it is the other's alone
        watcher = threading.Thread(target=_watch, args=(soaked, source, run.pid))
        watcher.start()
        result = False
        for line in run.stdout:
            soaked.hear(line, result=result)
            result = result or line.startswith(b'{"type": "result"')
        watcher.join()
    soaked.wrong += [f"status {one.returncode}" for one in (source, run) if one.returncode]
    return soaked


def _watch(soaked: Soaked, source: subprocess.Popen[bytes], pid: int) -> None:
    """Sample the memory of a process as long as the packets last."""
    began = time.monotonic()
    while source.poll() is None:
        try:
            sent = _field(Path(f"/proc/{source.pid}/io"), "wchar")
            status = Path(f"/proc/{pid}/status")
            memory = [1024 * _field(status, name) for name in ("VmRSS", "RssAnon")]
        except OSError:
            break
        soaked.samples.append(Sample(sent // RECORD.itemsize, *memory))
        time.sleep(SAMPLE_EVERY_S)
    soaked.seconds = time.monotonic() - began


def _field(path: Path, name: str) -> int:
    """A number that the kernel says of a process; 0 of one that has just ended."""
    for line in path.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def _number(flow: dict[str, Any]) -> int:
    """The number of a long connection, from its client's address and port."""
    address = int.from_bytes(bytes(map(int, flow["client"]["address"].split("."))))
    return (address - LONG_FROM) * PORTS + int(flow["client"]["port"]) - PORT_FROM
