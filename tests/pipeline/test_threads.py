"""Plain, compiled, by one thread, two or three: one result to the octet, of recordings and of what is made of them."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest
from results import CAPTURES, kernels_of
from samples import CAPTURES_OF_EACH_KIND, LONG

import analyzer
from analyzer import CaptureError
from analyzer.kernels import Kernels
from analyzer.kernels.warming import Warming
from analyzer.pipeline.ahead import AT_ONCE, Ahead, meanwhile

MUTANTS = 10_000 if LONG else 1_000
MOST_OCTETS = 200_000  # of a recording that mutants are made of
HOW = ({"engine": "compiled", "threads": 1}, {"engine": "compiled", "threads": 2}, {"engine": "compiled", "threads": 3})
LONGEST = max(CAPTURES, key=lambda path: path.stat().st_size)
CORPUS = sorted(Path(os.environ["KEEPALIVE_CORPUS"]).rglob("*.pcap*")) if "KEEPALIVE_CORPUS" in os.environ else []


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.pipeline.run.compiled", lambda notify: kernels_of("compiled"))


def told(path: Path, **how: object) -> str:
    """The result as JSON, or why there is none."""
    try:
        return analyzer.analyze(str(path), **how).to_json()  # type: ignore[arg-type]
    except CaptureError as error:
        return f"{error.offset}: {error.reason}"


def check(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One result, in batches of whatever size."""
    plain = told(path, engine="plain")
    for how in HOW:
        assert told(path, **how) == plain, how
    monkeypatch.setattr("analyzer.capture.reader.BATCH", 7)
    assert told(path, **HOW[1]) == plain


@CAPTURES_OF_EACH_KIND
def test_recordings(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(capture, monkeypatch)


@pytest.mark.skipif(not CORPUS, reason="KEEPALIVE_CORPUS names no captures")
@pytest.mark.parametrize("part", range(8))
def test_captures_of_others(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [path for path in CORPUS if path.stat().st_size < MOST_OCTETS]
    for path in (CORPUS if LONG else few[::5])[part::8]:
        with monkeypatch.context() as patch:
            check(path, patch)


@CAPTURES_OF_EACH_KIND
def test_the_short_way_of_usual_segments_changes_nothing(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = told(capture, engine="plain")
    monkeypatch.setattr("analyzer.kernels.track.segments.take_usual", lambda *_: False)
    assert told(capture, engine="plain") == usual


def test_progress_goes_on_when_machine_code_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ready(Warming):
        """Machine code that is there at once."""

        def kernels(self, *, begin: bool) -> Kernels:
            return kernels_of("compiled")

    monkeypatch.setattr("analyzer.pipeline.run.Warming", Ready)
    monkeypatch.setattr("analyzer.pipeline.run.ready", lambda: None)
    monkeypatch.setattr("analyzer.capture.reader.BATCH", 10)
    told: list[int] = []
    analyzer.analyze(str(LONGEST), threads=2, progress=lambda done, total: told.append(done))
    assert len(told) > 2
    assert told[-1] == LONGEST.stat().st_size


def mutant(number: int) -> bytes:
    """A recording of which some octets are others, or missing, or there twice."""
    random_ = random.Random(number)
    small = [path for path in CAPTURES if path.stat().st_size < MOST_OCTETS]
    octets = bytearray(random_.choice(small).read_bytes())
    for _ in range(random_.randint(1, 12)):
        at = random_.randrange(24, len(octets))
        match random_.randrange(4):
            case 0:
                octets[at] = random_.randrange(256)
            case 1:
                octets[at] ^= 1 << random_.randrange(8)
            case 2:
                del octets[at : at + random_.choice((1, 2, 4, 16, 60))]
            case 3:
                octets[at:at] = octets[at : at + random_.choice((1, 4, 16, 74, 400))]
        if len(octets) < 100:
            break
    return bytes(octets)


@pytest.mark.parametrize("part", range(10))
def test_mutants(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mutant"
    for number in range(part, MUTANTS, 10):
        path.write_bytes(mutant(number))
        plain = told(path, engine="plain")
        how = HOW[number % len(HOW)]
        assert told(path, **how) == plain, (number, how)


def test_what_is_done_ahead_comes_in_order_and_is_prepared_by_the_other_thread() -> None:
    prepared: list[int] = []
    taken = []
    for number in Ahead(iter(range(100)), prepared.append):
        assert len(prepared) <= number + AT_ONCE
        taken.append(number)
    assert taken == prepared == list(range(100))


def test_what_goes_wrong_ahead_is_raised_behind_what_went_well() -> None:
    def prepare(number: int) -> None:
        if number == 3:
            raise CaptureError("no more", path="here")

    taken = []
    with pytest.raises(CaptureError, match="no more"):
        for number in Ahead(iter(range(9)), prepare):
            taken.append(number)
    assert taken == [0, 1, 2]


def test_an_interrupted_reading_leaves_no_thread_at_work() -> None:
    begun: list[int] = []
    ahead = Ahead(iter(range(1000)), begun.append)
    assert next(iter(ahead)) == 0
    ahead.close()
    count = len(begun)
    assert count <= AT_ONCE + 1
    assert not ahead._thread.is_alive()
    assert len(begun) == count


def test_meanwhile_does_both_and_tells_until_the_other_has_ended() -> None:
    done: list[str] = []
    waited = threading.Event()

    def work() -> None:
        waited.wait()
        done.append("work")

    def tell() -> None:
        done.append("told")
        waited.set()  # it is told at least once before the end, and at the end

    before = sys.getswitchinterval()
    meanwhile(work, lambda: done.append("here"), tell)
    assert done[:2] == ["here", "told"]
    assert done.index("work") < len(done) - 1
    assert sys.getswitchinterval() == before


def test_what_goes_wrong_meanwhile_is_raised() -> None:
    def work() -> None:
        raise CaptureError("no more", path="here")

    with pytest.raises(CaptureError, match="no more"):
        meanwhile(work, lambda: None, lambda: None)


def test_who_is_interrupted_leaves_no_thread_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(run: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analyzer.pipeline.run.Run._prepare", interrupted)
    monkeypatch.setattr("analyzer.capture.reader.BATCH", 1)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        analyzer.analyze(str(LONGEST), engine="compiled", threads=2)
    until = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.001)
    assert set(threading.enumerate()) <= before


def test_progress_is_told_by_the_thread_that_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []
    analyzer.analyze(
        str(LONGEST),
        engine="compiled",
        threads=2,
        progress=lambda done, total: told.append((done, total, threading.get_ident())),
    )
    assert told
    assert {(total, thread) for _, total, thread in told} == {(LONGEST.stat().st_size, threading.get_ident())}
    assert told[-1][0] == LONGEST.stat().st_size
