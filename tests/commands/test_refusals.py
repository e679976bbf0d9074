"""What cannot be had, named as what was asked for, and what goes on without it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from results import ROOT

import analyzer
from analyzer.capture import open_capture
from analyzer.capture.follow import Rotation
from analyzer.capture.interface.backend import Backend
from analyzer.capture.kept import Spool
from analyzer.capture.ring import Folder, Ring
from analyzer.errors import CaptureError, UsageError
from analyzer.kernels import plain

DEAD_PEER = str(ROOT / "captures" / "dead-peer" / "capture.pcap")


@pytest.mark.parametrize(
    ("paths", "options", "says"),
    [
        ((), {}, "no capture was named"),
        ((DEAD_PEER,), {"engine": "steam"}, "engine 'steam' is none of"),
        ((DEAD_PEER,), {"same_traffic": "perhaps"}, "--same-traffic perhaps is none of"),
        ((DEAD_PEER,), {"both_ends": True}, "--both-ends compares two capture files"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(paths: tuple[str, ...], options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        analyzer.analyze(*paths, **options)


def test_a_compiler_that_cannot_be_had_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def missing() -> None:
        raise ImportError("there is none")

    monkeypatch.setattr("analyzer.kernels.warming.start_compiler", missing)
    monkeypatch.setattr("analyzer.pipeline.run.ready", lambda: None)
    monkeypatch.setattr("analyzer.pipeline.run.WORTH_COMPILING", 1)
    assert [flow.verdict for flow in analyzer.analyze(DEAD_PEER, notify=told.append).flows] == ["dead_peer"]
    assert told == ["the packet decoder cannot be compiled (there is none): continuing without that, slowly"]


@pytest.mark.parametrize(("there", "chosen"), [(None, Backend.scapy), ("/usr/bin/tcpdump", Backend.tcpdump)])
def test_scapy_captures_where_there_is_no_tcpdump(
    there: str | None, chosen: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: there)
    assert Backend.auto.chosen is chosen
    assert Backend.scapy.chosen is Backend.scapy


def test_a_pipe_that_cannot_be_kept_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**how: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CaptureError, match="cannot be kept on disk: No space left on device"):
        Spool().open(str(tmp_path / "pipe"))


def test_a_file_that_goes_away_while_it_is_looked_for_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone", "here", ".hidden"):
        (tmp_path / name).write_bytes(Path(DEAD_PEER).read_bytes())
    (tmp_path / "begun").touch()
    there = Path.stat

    def stat(path: Path, **how: Any) -> os.stat_result:
        if path.name == "gone":
            raise FileNotFoundError(path)
        return there(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    files = Rotation(str(tmp_path))
    assert [files.next(), files.next()] == [str(tmp_path / "here"), None]


def test_a_disk_that_is_full_leaves_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    folder = Folder(str(tmp_path), 2)
    ring = Ring("ring", folder.next_file, 10**6, told.append)
    batch = next(iter(open_capture(DEAD_PEER, plain()).batches()))
    ring.write(batch, "lo", 6)
    [written] = tmp_path.iterdir()
    whole, write = written.read_bytes(), os.write
    taken: list[int] = []

    def full(descriptor: int, octets: Any) -> int:
        if taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken.append(write(descriptor, octets[:100]))
        return taken[0]

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(2):
            ring.write(batch, "lo", 6)
    assert taken == [100]
    folder.close()
    assert told == ["ring: No space left on device: what is captured from now on is not kept"]
    assert written.read_bytes() == whole
    assert len(analyzer.analyze(str(written))) == 1
