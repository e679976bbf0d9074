"""What Wireshark says of captures, frame by frame: from one process of its engine, for starting it takes longest."""

from __future__ import annotations

import atexit
import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from analyzer.crosscheck.tshark import FLAGS
from analyzer.model.findings import Flagged

ALL, FIRST, LAST = 0, 1, -1  # of a field that a frame has several times
FLAG_FIELDS = {name.replace("analysis_", "tcp.analysis.", 1): says for name, says in FLAGS.items()}
Rows = list[list[str]]


class _Engine:
    """sharkd, which answers one line of JSON with another."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            ["sharkd", "-"], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, bufsize=1
        )
        atexit.register(self._end)

    def ask(self, method: str, **parameters: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        self._process.stdin.write(json.dumps(request) + "\n")
        return json.loads(self._process.stdout.readline())["result"]

    def _end(self) -> None:
        self._process.communicate()


@cache
def _engine() -> _Engine:
    engine = _Engine()
    for kind in ("mac", "network", "transport"):
        engine.ask("setconf", name=f"nameres.{kind}_name", value="FALSE")
    return engine


def fields(capture: Path, names: Sequence[str], which: int = FIRST) -> Rows:
    """These fields of every frame as text, empty where a frame has none: what `tshark -T fields` prints, but by name
    where a number has one.
    """
    engine = _engine()
    engine.ask("load", file=str(capture))
    columns = {f"column{place}": f"{name}:{which}" for place, name in enumerate(names)}
    answer: Rows = [frame["c"] for frame in engine.ask("frames", **columns)]
    return answer


def packets(capture: Path) -> list[tuple[str, ...]]:
    """Time, length and bytes of every packet."""
    about = fields(capture, ["frame.number", "frame.time_epoch", "frame.len"])
    return [(time, length, _engine().ask("frame", frame=int(n), bytes=True)["bytes"]) for n, time, length in about]


def flagged(capture: Path) -> list[Flagged]:
    """What `crosscheck` is told of Wireshark's flags."""
    rows = fields(capture, ["frame.number", "tcp.stream", "tcp.len", "tcp.time_delta", *FLAG_FIELDS])
    found = []
    for number, stream, length, since_last, *flags in rows:
        says = [word for word, flag in zip(FLAG_FIELDS.values(), flags, strict=True) if flag]
        if says:
            found.append(Flagged(int(number), int(stream), says[0], int(length), float(since_last or 0)))
    return found
