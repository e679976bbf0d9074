"""A fresh cache: capturing begins at once, and the machine code is used from when it is there."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from commands import keepalive
from living import IDLE_AFTER, MANY, File, event, idle_since, into, lines, running, said
from results import ROOT

from analyzer.kernels import Kernels, plain
from analyzer.live.session import Live
from analyzer.live.warming import compiling
from analyzer.pipeline.run import analyze

CROWD = ROOT / "captures" / "crowd" / "capture.pcap"
ENDLESS = (
    "import analyzer.kernels.engine.compiling as c; "
    "c.PROGRAM = 'from analyzer.kernels.engine.compiling import _end_with_whoever_asked as end; end()'"
)
SOON_S = 10  # it would compile for longer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_events_come_while_the_kernels_are_compiled_and_a_signal_brings_the_result(
    number: signal.Signals, tmp_path: Path
) -> None:
    began = time.monotonic()
    with running("-", "--format", "ndjson", patch=ENDLESS, variables={"XDG_CACHE_HOME": str(tmp_path)}) as process:
        assert b"compiling" in said(process)
        into(process).write(idle_since(0))
        event(process, "unanswered")
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(number)
        assert process.stdout is not None and process.stderr is not None
        assert next(line["type"] for line in lines(process.stdout.read())) == "result"
        assert (process.wait(), process.stderr.read()) == (0, b"")
        assert not Path(f"/proc/{child}").exists()
    assert time.monotonic() - began < SOON_S


def test_what_is_not_permitted_is_said_before_anything_is_compiled(tmp_path: Path) -> None:
    began = time.monotonic()
    run = keepalive("live", "-i", "no-such-one", variables={"XDG_CACHE_HOME": str(tmp_path)})
    assert run.returncode == 5
    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("batches", [0, 1, 5])
def test_the_machine_code_goes_on_where_the_plain_kernels_were(
    batches: int, compiled: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some batches, of a few packets each, nothing is lost."""
    monkeypatch.setattr("analyzer.capture.reader.BATCH", 50)
    run = Live(plain(), idle_after=IDLE_AFTER, notify=lambda text: None, most=MANY)
    run.intake.read("crowd", File(CROWD))
    for _ in range(batches):
        [lane] = run.intake.ready(0, run._wake_reading)
        run._take(lane, 1)
        run.intake.more(lane)
    run.use(compiled)
    run.run()
    analysis, whole = run.finish(), analyze(str(CROWD))
    assert list(analysis.flows) == list(whole.flows)
    assert [finding.summary for finding in analysis.findings] == [finding.summary for finding in whole.findings]
    run.close()


def test_where_nothing_can_be_compiled_it_goes_on_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr("analyzer.kernels.engine.compiling.PROGRAM", "print('no compiler'); raise SystemExit(3)")
    run = Live(plain(), idle_after=IDLE_AFTER, notify=notes.append, most=MANY)
    run.intake.read("crowd", File(CROWD))
    with compiling(run, notes.append):
        while len(notes) < 2:
            [observe] = run.observers
            observe()
        run.run()
    assert len(run.finish()) == 200
    assert notes[1:] == ["the packet decoder cannot be compiled (no compiler): continuing without that, slowly"]
    run.close()
