"""Exit statuses: 0, 1, 2, 3, 4, 6, 70 and 130 mean what is promised, and nothing else comes out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from captures_in_bytes import captured, pcap
from commands import KEEPALIVE, environment, keepalive, until_drained
from frames_in_bytes import ethernet, ipv4, tcp
from results import ROOT
from talks_in_bytes import ethernet_talk

DEAD_PEER, HEALTHY = (ROOT / "captures" / name / "capture.pcap" for name in ("dead-peer", "one-octet"))


def check(run: subprocess.CompletedProcess[bytes], status: int, *, silent: bool = True) -> str:
    """The status is this one, and unless the result stands there, standard output is empty."""
    said = run.stderr.decode()
    assert run.returncode == status, said
    assert (run.stdout == b"") == silent
    assert "Exception ignored" not in said
    assert ("Traceback" in said) == (status == 70)
    return said


def test_0_with_or_without_findings() -> None:
    for capture in (DEAD_PEER, HEALTHY):
        assert check(keepalive("analyze", capture), 0, silent=False) == ""


@pytest.mark.parametrize("severity", ["info", "high"])
def test_1_when_a_finding_is_as_severe_as_fail_on(severity: str) -> None:
    assert check(keepalive("analyze", DEAD_PEER, "--fail-on", severity), 1, silent=False) == ""
    check(keepalive("analyze", HEALTHY, "--fail-on", severity), 0, silent=False)


def test_1_still_writes_the_whole_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    check(keepalive("analyze", DEAD_PEER, "--fail-on", "high", "-o", out), 1)
    assert "dead-peer" in out.read_text()


@pytest.mark.parametrize(
    "arguments",
    [("analyze",), ("analyze", "--format", "xml", DEAD_PEER), ("analyze", "--no-such-option", DEAD_PEER),
     ("analyse", DEAD_PEER), ("analyze", DEAD_PEER, "--limit", "-1"), ("analyze", DEAD_PEER, "--idle-after", "-1"),
     ("analyze", DEAD_PEER, "--idle-after", "nan"), ("analyze", DEAD_PEER, "--idle-after", "inf"),
     ("analyze", DEAD_PEER, "--idle-after", "1e300"),
     ("analyze", DEAD_PEER, "--fail-on", "critical"), ("explain", "no-such-rule"), ("explain", "a", "b")],
)  # fmt: skip
def test_2_for_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert check(keepalive(*arguments), 2)


def test_2_rather_than_overwriting_the_capture(tmp_path: Path) -> None:
    path, link, hard = (tmp_path / name for name in ("talk.pcap", "link.pcap", "hard.pcap"))
    path.write_bytes(pcap(ethernet_talk()))
    link.symlink_to(path)
    hard.hardlink_to(path)
    for out in (path, link, hard):
        said = check(keepalive("analyze", path, "-o", out), 2)
        assert "overwrite" in said
        assert path.read_bytes() == pcap(ethernet_talk())


@pytest.mark.parametrize("named", [".", "*.pcap"], ids=["folder", "pattern"])
def test_2_rather_than_overwriting_a_capture_of_a_set(tmp_path: Path, named: str) -> None:
    one, other = (tmp_path / name for name in ("one.pcap", "other.pcap"))
    for path in (one, other):
        path.write_bytes(pcap(ethernet_talk()))
    assert "overwrite" in check(keepalive("analyze", tmp_path / named, "-o", other), 2)
    assert other.read_bytes() == pcap(ethernet_talk())


def test_2_rather_than_overwriting_what_standard_input_reads(tmp_path: Path) -> None:
    path = tmp_path / "talk.pcap"
    path.write_bytes(pcap(ethernet_talk()))
    command = [sys.executable, "-m", "analyzer", "analyze", "-", "-o", str(path)]
    with path.open("rb") as stdin:
        assert subprocess.run(command, stdin=stdin, capture_output=True, check=False).returncode == 2
    assert path.read_bytes() == pcap(ethernet_talk())


@pytest.mark.parametrize("octets", [b"", b"text\n", bytes(100)], ids=["empty", "text", "zeros"])
def test_3_when_no_capture_can_be_read(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(octets)
    for arguments in ([path], [path, tmp_path / "missing.pcap"]):
        said = check(keepalive("analyze", *arguments), 3)
        assert str(arguments[0]) in said


def test_3_for_standard_input_that_is_no_capture() -> None:
    assert "standard input" in check(keepalive("analyze", "-", stdin=b"no capture"), 3)


def test_3_names_every_capture_that_could_not_be_read(tmp_path: Path) -> None:
    said = check(keepalive("analyze", tmp_path / "one.pcap", tmp_path / "two.pcap"), 3)
    assert "one.pcap" in said
    assert "two.pcap" in said


def test_0_with_a_missing_file_among_readable_ones(tmp_path: Path) -> None:
    said = check(keepalive("analyze", tmp_path / "missing.pcap", DEAD_PEER), 0, silent=False)
    assert "missing.pcap: " in said
    assert "byte 0" not in said


def test_a_file_that_was_not_read_is_not_damaged(tmp_path: Path) -> None:
    shown = keepalive("analyze", tmp_path / "missing.pcap", DEAD_PEER).stdout.decode()
    assert "missing.pcap: not read" in shown
    assert "damaged" not in shown


def test_4_when_the_output_cannot_be_written(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "no" / "folder", Path("/dev/full")):
        said = check(keepalive("analyze", DEAD_PEER, "-o", out), 4)
        assert str(out) in said


def test_4_when_standard_output_is_full() -> None:
    for form in ("text", "json", "csv"):
        with Path("/dev/full").open("wb") as full:
            run = subprocess.run(
                [*KEEPALIVE, "analyze", DEAD_PEER, "--format", form],
                stdout=full, stderr=subprocess.PIPE, env=environment(), check=False,
            )  # fmt: skip
        said = run.stderr.decode()
        assert (run.returncode, "Exception ignored" in said, "Traceback" in said) == (4, False, False), said
        assert "No space left" in said


def test_70_for_a_defect_of_ours() -> None:
    code = (
        "import analyzer.pipeline.run, analyzer.cli, sys\n"
        "def broken(*paths, **options): raise ZeroDivisionError('injected')\n"
        "analyzer.pipeline.run.analyze = broken\n"
        f"sys.argv = ['keepalive', 'analyze', {str(DEAD_PEER)!r}]\n"
        "analyzer.cli.main()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), cwd=ROOT, check=False)
    said = check(run, 70)
    assert "injected" in said
    assert "internal error" in said


def test_130_when_interrupted_while_reading_a_pipe() -> None:
    child = subprocess.Popen(
        [*KEEPALIVE, "analyze", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored where this runs in the background
    )  # fmt: skip
    assert child.stdin
    child.stdin.write(pcap(ethernet_talk())[:500])
    child.stdin.flush()
    until_drained(child.stdin)
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, said = child.communicate(timeout=30)
    assert (child.returncode, out, b"Traceback" in said) == (130, b"", False)


def long_capture(path: Path) -> Path:
    """More connections than a pipe holds lines of."""
    frames = [ethernet(ipv4(tcp(sport=port))) for port in range(1024, 6000)]
    path.write_bytes(pcap(captured(octets, i * 1000) for i, octets in enumerate(frames)))
    return path


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_a_reader_that_has_seen_enough_is_no_trouble(tmp_path: Path, form: str) -> None:
    path = long_capture(tmp_path / "long.pcap")
    command = [*KEEPALIVE, "analyze", str(path), "--limit", "0", "--format", form]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert child.stdout
    assert child.stderr
    assert child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait(timeout=60) == 0


@pytest.mark.parametrize("arguments", [("explain",), ("explain", "dead-peer"), ("--help",), ("analyze", "--help"),
                                       ("--version",), ("analyze", DEAD_PEER)])  # fmt: skip
def test_a_reader_that_never_looked_is_no_trouble(arguments: tuple[str | Path, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [*KEEPALIVE, *arguments], stdout=writing, stderr=subprocess.PIPE, env=environment(), check=False
    )
    os.close(writing)
    assert run.stderr == b""
    assert run.returncode == 0


def test_a_name_that_is_no_text_is_printed_somehow(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.pcap"
    path.write_bytes(pcap(ethernet_talk()))
    for form in ("text", "json", "ndjson", "csv"):
        check(keepalive("analyze", path, "--format", form), 0, silent=False)
        check(keepalive("analyze", path, "--format", form, "-o", tmp_path / "out"), 0)


def test_a_terminal_is_not_driven_by_the_name_of_a_capture(tmp_path: Path) -> None:
    """Names come from archives and tickets: their control characters are shown, not obeyed."""
    path, plain = tmp_path / "a\x1b[2J\nb.pcap", tmp_path / "plain.pcap"
    for name in (path, plain):
        name.write_bytes(pcap(ethernet_talk())[:-3])
    run = keepalive("analyze", path)
    said = check(run, 0, silent=False)
    assert "\x1b" not in run.stdout.decode() + said
    assert run.stdout.count(b"\n") == keepalive("analyze", plain).stdout.count(b"\n")


def test_an_output_encoding_without_the_letters_is_no_defect(tmp_path: Path) -> None:
    path = tmp_path / "größe.pcap"
    path.write_bytes(pcap(ethernet_talk()))
    check(keepalive("analyze", path, variables={"PYTHONIOENCODING": "ascii"}), 0, silent=False)
