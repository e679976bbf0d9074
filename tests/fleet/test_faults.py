"""What goes wrong while captures are scanned: it is tried again, or named in the results, and nothing else is lost."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import pytest
from commands import environment, keepalive
from results import ROOT
from scanned import differences, scanned

from analyzer.errors import CaptureError, UsageError
from analyzer.fleet import reading
from analyzer.fleet.asking import ask
from analyzer.fleet.cluster import cluster
from analyzer.fleet.folder import Folder
from analyzer.fleet.places import find_captures
from analyzer.fleet.scan import load, scan
from analyzer.fleet.state import Settings
from analyzer.fleet.streaming import Streamed, open_stream
from analyzer.fleet.work import Here

RECORDINGS = sorted(ROOT.glob("captures/*/capture.pcap"))


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """A dozen captures of three hosts."""
    folder = tmp_path / "captures"
    for number, path in enumerate(RECORDINGS[:12]):
        (folder / f"web-{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"web-{number % 3}" / f"eth0-{number:04}.pcap").write_bytes(path.read_bytes())
    return folder


def problems_of(out: Path) -> dict[str, list[str]]:
    """What the results say of captures that were not read whole, by the file's name."""
    from pyarrow.dataset import dataset

    table = dataset(out / "captures", format="parquet", partitioning="hive").to_table()
    rows = zip(table["path"].to_pylist(), table["problems"].to_pylist(), strict=True)
    return {Path(path).name: [one["reason"] for one in problems] for path, problems in rows if problems}


def test_damaged_and_vanished_captures_are_named(captures: Path, tmp_path: Path) -> None:
    """Each loses what is behind its damage, and nothing else is lost."""
    cut, vanished, garbage, packed = sorted(captures.rglob("*.pcap"))[:4]
    cut.write_bytes(cut.read_bytes()[:-7])
    garbage.write_bytes(garbage.read_bytes()[:200] + b"\xff" * 400)
    packed.write_bytes(gzip.compress(packed.read_bytes())[:-30])
    report = scan([str(captures)], str(tmp_path / "out"), Here(), begun=vanished.unlink)
    problems = problems_of(tmp_path / "out")
    assert set(problems) == {cut.name, vanished.name, garbage.name, packed.name}
    assert problems[cut.name][0].startswith("cut short")
    assert problems[vanished.name] == ["cannot be opened: No such file or directory"]
    assert "ends before its end marker" in problems[packed.name][0]
    assert report.captures == 12
    # What vanished is tried again, and is known once it is back.
    vanished.write_bytes(RECORDINGS[0].read_bytes())
    again = scan([str(captures)], str(tmp_path / "out"), Here())
    assert (again.read, again.captures) == (1, 12)


def test_a_capture_that_is_written_to_is_named_and_read_anew(captures: Path, tmp_path: Path) -> None:
    growing = sorted(captures.rglob("*.pcap"))[0]
    whole = growing.read_bytes()
    growing.write_bytes(whole[:-100])

    def grow() -> None:
        growing.write_bytes(whole)

    report = scan([str(captures)], str(tmp_path / "out"), Here(), begun=grow)
    facts = next(one for one in report.analysis.captures if one.path == str(growing))
    assert "it changed while it was read" in facts.problems[-1].reason
    again = scanned([captures], tmp_path / "out")
    assert again.read == 1
    assert differences(again, tmp_path / "out") == []


class Failing:
    """An open file of a store that fails, or says nothing, after so many bytes."""

    def __init__(self, octets: bytes, how: str, until: threading.Event) -> None:
        self._octets, self._how, self._until = octets, how, until
        self._sent = False

    def read(self, size: int) -> bytes:
        """Half of it, then nothing good."""
        if not self._sent:
            self._sent = True
            return self._octets[: len(self._octets) // 2]
        if self._how == "stalls":
            self._until.wait(20)
            return b""
        raise RuntimeError("503 Slow Down")

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize("how", ["stalls", "fails"])
@pytest.mark.parametrize("times", [1, 9])
def test_a_store_that_fails_is_asked_again(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, times: int
) -> None:
    """Where it fails for good the capture has a problem, and what came of it is kept."""
    bad = sorted(captures.rglob("*.pcap"))[0]
    left, ended = [times], threading.Event()

    def opened(address: str, stalled: float) -> Any:
        if address != str(bad) or not left[0]:
            return open_stream(address, stalled)
        left[0] -= 1
        file: Any = Failing(bad.read_bytes(), how, ended)
        return Streamed(lambda: file, stalled)

    monkeypatch.setattr(reading, "open_stream", opened)
    monkeypatch.setattr(reading, "WAIT_S", 0.01)
    report = scanned([captures], tmp_path / "out", stalled=0.3)
    ended.set()
    facts = next(one for one in report.analysis.captures if one.path == str(bad))
    if times == 1:
        assert facts.problems == []
        assert differences(report, tmp_path / "out") == []
        return
    said = "the store has said nothing for 0.3 s" if how == "stalls" else "503 Slow Down"
    assert facts.problems[-1].reason == f"reading failed: {said}"
    assert facts.packets > 0
    left[0] = 0
    again = scanned([captures], tmp_path / "out")
    assert again.read == 1  # the next scan tries again
    assert differences(again, tmp_path / "out") == []


def test_what_lies_beside_captures_is_passed_over(captures: Path, tmp_path: Path) -> None:
    (captures / "notes.txt").write_text("nothing")
    (captures / "web-0" / "core").write_bytes(b"\x7fELF" + bytes(100))
    os.mkfifo(captures / "web-0" / "pipe")
    report = scanned([captures], tmp_path / "out")
    assert (report.captures, report.others) == (12, 1)
    assert scanned([captures], tmp_path / "out").read == 0


def test_an_interrupted_scan_is_taken_up(captures: Path, tmp_path: Path) -> None:
    """Killed when some captures have been read: without --resume it is refused, with it the rest is read."""
    out = tmp_path / "out"
    code = (
        "import os, sys, analyzer.fleet.scan as s\n"
        "def told(progress):\n"
        "    if progress.done == 5: os.kill(os.getpid(), 9)\n"
        "from analyzer.fleet.work import Here\n"
        "s.scan([sys.argv[1]], sys.argv[2], Here(), progress=told)\n"
    )
    killed = subprocess.run([sys.executable, "-P", "-c", code, captures, out], env=environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(UsageError, match="interrupted scan"):
        load(str(out))
    with pytest.raises(UsageError, match="--resume takes it up"):
        scan([str(captures)], str(out), Here())
    report = scanned([captures], out, resume=True)
    assert (report.read, report.captures) == (7, 12)
    assert differences(report, out) == []


def test_a_parcel_that_is_damaged_is_made_anew(captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    scanned([captures], out)
    damaged, cut = sorted((out / "rows").iterdir())[:2]
    damaged.write_bytes(b"\0" * 300)
    cut.write_bytes(cut.read_bytes()[:-3])
    (out / "rows" / "notes").write_text("of somebody")
    report = scanned([captures], out)
    assert report.read == 2
    assert differences(report, out) == []


def test_what_cannot_be_scanned_is_refused(captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="no capture there"):
        find_captures([str(tmp_path / "nothing")])
    with pytest.raises(UsageError, match="nosuch"):
        find_captures(["nosuch://bucket/x.pcap"])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "x").write_text("no capture")
    with pytest.raises(CaptureError, match="no capture there"):
        scan([str(tmp_path / "notes")], str(tmp_path / "other"), Here())
    scanned([captures], out)
    with pytest.raises(UsageError, match="other settings"):
        scan([str(captures)], str(out), Here(), Settings(same_traffic="no"))
    (out / "scan.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be understood"):
        load(str(out))
    with pytest.raises(UsageError, match="holds no results"):
        load(str(captures))


def test_results_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("some/file", b"old")

    def broken(out: IO[bytes]) -> None:
        out.write(b"half of")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), folder.written("some/file") as out:
        broken(out)
    assert folder.read("some/file") == b"old"
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["file"]


def test_the_command_says_what_is_wrong(captures: Path, tmp_path: Path) -> None:
    for arguments, status, said in (
        (("scan", captures / "none", "-o", tmp_path / "x", "--workers", "1"), 2, "no capture there"),
        (("scan", captures, "-o", tmp_path / "x", "--memory", "much"), 2, "--memory much"),
        (("scan", captures, "-o", tmp_path / "x", "--host-pattern", "web"), 2, "has no group"),
        (("scan", captures, "-o", tmp_path / "x", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"), 2, "leave"),
        (("query", tmp_path, "lost-peers"), 2, "holds no results"),
    ):
        done = keepalive(*arguments)
        assert (done.returncode, said in done.stderr.decode()) == (status, True), done.stderr
        assert done.stdout == b""


def test_what_needs_packets_says_that_they_are_not_there(captures: Path, tmp_path: Path) -> None:
    """Of a scan's results the packets are read again where the captures are files; otherwise that is said."""
    out = tmp_path / "out"
    scanned([captures], out)
    assert keepalive("extract", out, "--stream", "0", "-o", tmp_path / "there.pcapng").returncode == 0
    assert (tmp_path / "there.pcapng").stat().st_size > 100
    shutil.rmtree(captures)
    for command in ("extract", "annotate"):
        done = keepalive(command, out, "--stream", "0", "-o", tmp_path / "gone.pcapng")
        assert (done.returncode, b"the packets are not at hand" in done.stderr) == (2, True), done.stderr
    assert keepalive("report", out, "-o", tmp_path / "report.html").returncode == 0


@pytest.mark.parametrize("library", ["fsspec", "distributed", "duckdb"])
def test_what_is_not_installed_is_named(
    captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    scanned([captures], tmp_path / "out")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=r"pip install 'tcp-keepalive-analyzer\[fleet\]'"):
        if library == "duckdb":
            ask(str(tmp_path / "out"), "lost-peers")
        else:
            with cluster(None, 1, None) as workers:
                scan([str(captures)], str(tmp_path / "other"), workers)


def test_a_directory_that_is_not_ours_is_left_alone(captures: Path, tmp_path: Path) -> None:
    """Nothing that a user has is removed, whatever it is called."""
    theirs = tmp_path / "theirs" / "captures" / "notes.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    with pytest.raises(UsageError, match="is not empty, and holds no results of scans"):
        scan([str(captures)], str(tmp_path / "theirs"), Here())
    assert theirs.read_text() == "mine"


def test_one_scan_at_a_time_writes_to_a_directory(captures: Path, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"))
    with folder.held(), pytest.raises(UsageError, match="another scan writes there now"):
        scan([str(captures)], str(tmp_path / "out"), Here())
    scanned([captures], tmp_path / "out")


def test_a_failing_scan_leaves_earlier_results_as_they_are(captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    scanned([captures], out)
    with pytest.raises(UsageError, match="no capture there"):
        scan([str(tmp_path / "nothing")], str(out), Here())
    assert len(load(str(out))) == len(ask(str(out), "SELECT stream FROM flows").rows) > 0


@pytest.mark.parametrize("name", ["day=2001-01-01", "host=zz", "q[1]", "a*b", "what?", "it's", "a::b"])
def test_where_results_lie_has_no_say_in_them(captures: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name / "out"
    scanned([captures], out)
    answer = ask(str(out), "SELECT DISTINCT host, day FROM flows ORDER BY 1")
    assert {host for host, _ in answer.rows} == {"web-0", "web-1", "web-2"}
    assert {day.year for _, day in answer.rows} == {2026}


def test_names_of_files_need_not_be_text(captures: Path, tmp_path: Path) -> None:
    odd = os.fsencode(captures) + b"/web-0/b\xffd #?%[1]::x.pcap"
    Path(os.fsdecode(odd)).write_bytes(RECORDINGS[0].read_bytes())
    report = scanned([captures], tmp_path / "out")
    assert report.captures == 13
    assert ask(str(tmp_path / "out"), "SELECT count(*) FROM captures WHERE path LIKE '%b\\udcffd #?%'").rows == [(1,)]


def test_what_is_called_a_capture_is_never_passed_over(captures: Path, tmp_path: Path) -> None:
    for name, octets in (("empty.pcap", b""), ("zeros.pcap", bytes(100)), ("cut.pcap.gz", b"\x1f\x8b\x08\0\0")):
        (captures / "web-1" / name).write_bytes(octets)
    report = scanned([captures], tmp_path / "out")
    assert (report.captures, report.others) == (15, 0)
    assert set(problems_of(tmp_path / "out")) == {"empty.pcap", "zeros.pcap", "cut.pcap.gz"}
    # What was a capture once is one, whatever has become of it.
    gone = sorted(captures.rglob("eth0*.pcap"))[0]
    bare = gone.with_name("eth0-ring")
    gone.rename(bare)
    scanned([captures], tmp_path / "second")
    bare.write_bytes(b"")
    assert "eth0-ring" in problems_of(scanned_into(captures, tmp_path / "second"))


def scanned_into(captures: Path, out: Path) -> Path:
    """Scan once more, and say where the results are."""
    scanned([captures], out)
    return out
