"""What the analyzer says of a capture, in the forms that tests compare."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import Captured

import analyzer
from analyzer import Analysis
from analyzer.capture import open_capture
from analyzer.capture.source import Source
from analyzer.kernels import Kernels, compiled, plain
from analyzer.model.captures import CaptureFacts
from analyzer.tables.fields import RECORD_SIZE

ROOT = Path(__file__).parents[2]
TRUTHS = sorted(ROOT.glob("captures/*/truth.json"))
CAPTURES = [min(path.parent.glob("capture.*")) for path in TRUTHS]  # of a rotated set the first
EVERY_CAPTURE = pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.parent.name)
Result = dict[str, Any]


@cache
def _compiled_once() -> Kernels | Exception:
    try:
        return compiled()
    except Exception as error:  # remembered, for trying takes half a minute
        return error


def kernels_of(engine: str) -> Kernels:
    """The kernels of one engine."""
    if engine == "plain":
        return plain()
    kernels = _compiled_once()
    if isinstance(kernels, Exception):
        raise kernels
    return kernels


@cache
def recorded(capture: Path) -> Analysis:
    """The analysis of a recording, made once for all tests of a worker: not for those that change it, or the reader."""
    return analyzer.analyze(str(capture), engine="plain")


def recorded_result(capture: Path) -> Result:
    """What `result` gives of a recording, from the one analysis."""
    return _exact(recorded(capture))


def result(*paths: Path | str, engine: str = "plain") -> Result:
    """The whole JSON, numbers exact, without what depends on where the bytes came from."""
    with pytest.MonkeyPatch.context() as patch:
        if engine == "compiled":  # loaded once for all tests
            patch.setattr("analyzer.pipeline.run.compiled", lambda notify: kernels_of("compiled"))
        return _exact(analyzer.analyze(*map(str, paths), engine=engine))


def _exact(analysis: Analysis) -> Result:
    whole: Result = json.loads(analysis.to_json(), parse_float=Decimal)
    for capture in whole["captures"]:
        del capture["path"]
        capture["format"] = capture["format"].removesuffix(" (gzip)")
    return whole


def without_problems(whole: Result) -> Result:
    """The result, but for what it says of damage."""
    captures = [{**capture, "problems": []} for capture in whole["captures"]]
    return {**whole, "captures": captures}


def problems(whole: Result) -> list[Result]:
    """Damage to the one capture."""
    found: list[Result] = whole["captures"][0]["problems"]
    return found


def packets_of(path: Path | str) -> tuple[list[Captured], CaptureFacts]:
    """Every packet as the capture room hands it on, and what it notes of the file; the same for both engines."""
    found, facts = _packets_of(path, "plain")
    assert _packets_of(path, "compiled") == (found, facts)
    return found, facts


def _packets_of(path: Path | str, engine: str) -> tuple[list[Captured], CaptureFacts]:
    reader = open_capture(str(path), kernels_of(engine))
    found = []
    for batch in reader.batches():
        for row in range(0, batch.size * RECORD_SIZE, RECORD_SIZE):
            offset, caplen, origlen, time, link = (int(word) for word in batch.rows[row : row + RECORD_SIZE])
            found.append(Captured(bytes(batch.buffer[offset : offset + caplen]), time, origlen, link))
    return found, reader.facts


class Dribble(io.RawIOBase):
    """Bytes that come a few at a time, as from a slow pipe."""

    def __init__(self, data: bytes, sizes: Iterable[int]) -> None:
        self._data = memoryview(data)
        self._sizes = iter(sizes)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(next(self._sizes, 97), len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count


def dribble(monkeypatch: pytest.MonkeyPatch, data: bytes, sizes: Iterable[int] | None = None, seed: int = 0) -> str:
    """A path that gives `data` in pieces of these sizes, else of 1 to 97 bytes."""
    rng = random.Random(seed)
    steps = sizes if sizes is not None else (rng.randint(1, 97) for _ in range(len(data)))
    monkeypatch.setattr("analyzer.capture.reader.open_source", lambda path: Source(path, Dribble(data, steps)))
    return "dribble"
