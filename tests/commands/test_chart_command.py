"""The command `chart`: what it writes and where, what it refuses, and with which status."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures_in_bytes import pcap
from commands import inside, keepalive
from results import ROOT

DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"
FOUR = ROOT / "captures" / "refused-and-no-answer" / "capture.pcap"
KINDS = ("timeline", "idle", "intervals", "ladder", "hosts")
MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize(("kind", "form"), list(zip(KINDS, ("pdf", "svg", "png", "png", "svg"), strict=True)))
def test_each_kind_is_written_in_each_form_for_its_owner_alone(tmp_path: Path, kind: str, form: str) -> None:
    out = tmp_path / f"chart.{form.upper()}"
    assert inside("chart", DEAD_PEER, "--kind", kind, "-o", out, "--utc") == ""
    assert out.read_bytes().startswith(MAGIC[form])
    assert out.stat().st_mode & 0o777 == 0o600


def svg(tmp_path: Path, *arguments: str | Path) -> str:
    out = tmp_path / "out.svg"
    inside("chart", *arguments, "-o", out)
    return out.read_text()


def test_selectors_choose_what_is_drawn(tmp_path: Path) -> None:
    whole = svg(tmp_path, FOUR, "--kind", "timeline")
    assert all(f"#{stream}  " in whole for stream in range(4))
    for selector in (["--stream", "2"], ["--port", "40003"]):
        part = svg(tmp_path, FOUR, "--kind", "timeline", *selector)
        assert [stream for stream in range(4) if f"#{stream}  " in part] == [2]
    judged = svg(tmp_path, FOUR, "--kind", "timeline", "--verdict", "refused")
    assert "refused" in judged
    assert "no_answer" not in judged
    assert "Stream 3 of " in svg(tmp_path, FOUR, "--kind", "ladder", "--stream", "3")


def test_the_zone_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out.svg"
    for flag, zone in (([], "XYZ"), (["--utc"], "UTC")):
        run = keepalive("chart", DEAD_PEER, "--kind", "idle", "-o", out, *flag, variables={"TZ": "XYZ-5:30"})
        assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
        assert f"time of day, {zone}<" in out.read_text()


def test_the_timer_is_counted_down_on_request(tmp_path: Path) -> None:
    assert "time since the last received segment" in svg(tmp_path, DEAD_PEER, "--kind", "idle")
    assert "time until the timer fires" in svg(tmp_path, DEAD_PEER, "--kind", "idle", "--countdown")


@pytest.mark.parametrize("kind", ["timeline", "ladder"])
def test_standard_input_gives_the_same_picture(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "piped.svg"
    run = keepalive("chart", "-", "--kind", kind, "-o", out, "--utc", stdin=DEAD_PEER.read_bytes())
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    from_file = svg(tmp_path, DEAD_PEER, "--kind", kind, "--utc")
    drawn = out.read_text()
    assert "standard input" in drawn
    said = [line.strip() for line in from_file.splitlines() if "</text>" in line and "capture.pcap" not in line]
    assert said
    assert all(line.partition(">")[2] in drawn for line in said)


@pytest.mark.parametrize(
    "arguments",
    [(DEAD_PEER, "--kind", "idle"), (DEAD_PEER, "-o", "x.png"), (DEAD_PEER, "--kind", "pie", "-o", "x.png"),
     (DEAD_PEER, "--kind", "idle", "-o", "x.jpg"), (DEAD_PEER, "--kind", "idle", "-o", "png"),
     (DEAD_PEER, "--kind", "hosts", "--countdown", "-o", "x.png"),
     (DEAD_PEER, "--kind", "idle", "-o", "x.png", "--host", "a"),
     ("--kind", "hosts", "-o", "x.png")],
)  # fmt: skip
def test_2_for_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str | Path, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    run = keepalive("chart", *arguments)
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_2_rather_than_overwrite_a_capture(tmp_path: Path) -> None:
    capture = tmp_path / "capture.png"
    capture.write_bytes(DEAD_PEER.read_bytes())
    assert keepalive("chart", capture, "--kind", "idle", "-o", capture).returncode == 2
    assert capture.read_bytes() == DEAD_PEER.read_bytes()


def test_3_when_nothing_could_be_read_and_no_file_is_left(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    run = keepalive("chart", tmp_path / "absent.pcap", "--kind", "hosts", "-o", out)
    assert (run.returncode, run.stdout, out.exists()) == (3, b"", False)


def test_4_when_the_picture_cannot_be_written(tmp_path: Path) -> None:
    run = keepalive("chart", DEAD_PEER, "--kind", "hosts", "-o", tmp_path / "absent" / "out.png")
    assert run.returncode == 4
    assert b"No such file" in run.stderr


def test_damage_is_told_and_quiet_tells_nothing(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(DEAD_PEER.read_bytes()[:-10])
    out = tmp_path / "out.png"
    loud, quiet = (keepalive("chart", cut, "--kind", "timeline", "-o", out, *flag) for flag in ([], ["-q"]))
    assert (loud.returncode, quiet.returncode) == (0, 0)
    assert b"cut short" in loud.stderr
    assert quiet.stderr == b""


def test_an_empty_capture_is_drawn_with_status_0(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(pcap([]))
    assert "no TCP connection to show" in svg(tmp_path, empty, "--kind", "timeline")
