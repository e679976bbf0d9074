"""What leaves memory while a capture goes on: that the result in the end is the same as if nothing had."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from commands import keepalive
from living import IDLE_AFTER, MANY, File
from results import ROOT
from soak import Soak

import analyzer.track.archive
import analyzer.track.leaving
import analyzer.track.memory
from analyzer.analysis import Analysis
from analyzer.kernels import Kernels, plain
from analyzer.live.session import Live
from analyzer.model.columns import Tracks
from analyzer.model.events import Event
from analyzer.pipeline.run import analyze
from analyzer.tables.fields import HASH

CAPTURES = ROOT / "captures"
SMALL = Soak(seconds=260, short_each=20, long=50, dying=3)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few minutes of a host that is not very busy."""
    path = tmp_path_factory.mktemp("soak") / "small.pcap"
    path.write_bytes(b"".join(SMALL.octets()))
    return path


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room, so that some leave after every few packets."""
    monkeypatch.setattr(analyzer.track.memory, "FEW_CONNECTIONS", 20)
    monkeypatch.setattr(analyzer.track.memory, "FEW_PROBES", 10)
    monkeypatch.setattr(analyzer.track.leaving, "PROBES_KEPT", 2)
    monkeypatch.setattr("analyzer.capture.reader.BATCH", 50)


def lived(path: Path, kernels: Kernels, most: int = MANY) -> tuple[Analysis, list[Event], list[str], Live]:
    told: list[Event] = []
    notes: list[str] = []
    live = Live(kernels, idle_after=IDLE_AFTER, notify=notes.append, most=most)
    live.listeners.append(told.extend)
    live.intake.read(path.name, File(path))
    live.run()
    return live.finish(), told, notes, live


def same(one: Tracks, other: Tracks) -> bool:
    """Whether the tables are the same but for the seed of their hashes."""
    columns = [column for column in range(one.flows.shape[1]) if column != HASH]
    return (
        np.array_equal(one.flows[:, columns], other.flows[:, columns])
        and np.array_equal(one.probes, other.probes)
        and np.array_equal(one.events, other.events)
    )


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("name", ["crowd", "five-lives", "port-reuse", "lossy-much", "zero-window", "dead-peer"])
def test_the_tables_are_the_same_in_the_end(name: str, compiled: Kernels) -> None:
    path = CAPTURES / name / "capture.pcap"
    analysis, _, notes, live = lived(path, compiled)
    assert same(analysis.facts.tracks, analyze(str(path)).facts.tracks)
    assert notes == []
    live.close()


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_what_is_over_leaves_memory_and_is_in_the_result(engine: str, small: Path, compiled: Kernels) -> None:
    analysis, told, notes, live = lived(small, compiled if engine == "compiled" else plain())
    whole = analyze(str(small))
    assert len(live._tracker.living().flows) < len(whole) / 2
    assert len(live._tracker.living().probes) < len(whole.facts.tracks.probes) * 0.8
    assert same(analysis.facts.tracks, whole.facts.tracks)
    assert analysis.verdicts == whole.verdicts
    assert analysis.findings == whole.findings
    assert notes == []
    answered, unanswered = SMALL.probes()
    counts = {kind: sum(event.kind == kind for event in told) for kind in {event.kind for event in told}}
    assert counts.pop("finding") >= SMALL.dying
    assert counts == {
        "connection-opened": SMALL.short + SMALL.long,
        "closed": SMALL.short,
        "probe": answered + unanswered,
        "answered": answered,
        "unanswered": unanswered,
        "dead-peer": SMALL.dying,
        "reset": SMALL.dying,
    }
    assert sorted({event.stream for event in told if event.stream is not None}) == list(range(SMALL.short + SMALL.long))
    dead = {event.stream for event in told if event.kind == "dead-peer"}
    assert dead == {stream for stream, verdict in enumerate(whole.verdicts) if verdict == "dead_peer"}
    live.close()


@pytest.mark.usefixtures("crowded")
def test_of_too_many_those_that_say_least_leave(small: Path, compiled: Kernels) -> None:
    analysis, told, notes, live = lived(small, compiled, most=30)
    assert len(live._tracker.living().flows) <= 30
    assert live._memory.left_open > 0
    assert notes == ["more than 30 connections: those that say least leave memory before they end"]
    assert sum(event.kind == "dead-peer" for event in told) == SMALL.dying  # what they say is worth most
    kinds = {event.stream: event.kind for event in told if event.kind in ("connection-opened", "connection-seen")}
    assert len(analysis) == len(kinds)
    assert "connection-seen" in kinds.values()  # one that left before its end, and was used again
    assert analysis.verdicts.count("dead_peer") == SMALL.dying
    live.close()


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_costs_memory_and_nothing_else(
    room: int, small: Path, compiled: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many times something can be written, then no more."""
    write, times = analyzer.track.archive.Table.write, [0]

    def full(table: object, *arguments: object) -> None:
        times[0] += 1
        if times[0] > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(analyzer.track.archive.Table, "write", full)
    analysis, _, notes, live = lived(small, compiled)
    assert notes == [
        "the disk for what is over takes no more (No space left on device): all stays in memory from now on"
    ]
    assert same(analysis.facts.tracks, analyze(str(small)).facts.tracks)
    live.close()


def test_a_stream_of_many_short_connections_over_some_long_ones() -> None:
    """As a process, with the room that it has: what is told and what is counted in the end."""
    soak = Soak(seconds=150, short_each=200, long=200, dying=2)
    run = keepalive("live", "-", "--format", "ndjson", stdin=b"".join(soak.octets()))
    assert (run.returncode, run.stderr) == (0, b"")
    told, _, result = run.stdout.partition(b'{"type": "result"}\n')
    kinds = [json.loads(line)["type"] for line in told.splitlines()]
    assert kinds.count("connection-opened") == soak.short + soak.long
    assert kinds.count("closed") == soak.short
    assert kinds.count("dead-peer") == soak.dying
    flows = [line for line in map(json.loads, result.splitlines()) if line["type"] == "flow"]
    assert [flow["stream"] for flow in flows] == list(range(soak.short + soak.long))
