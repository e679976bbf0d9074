"""Where output goes and how it looks: standard output by `-`, colours, files by name, hints on standard error."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from captures_in_bytes import pcap
from commands import KEEPALIVE, as_json, environment, inside, keepalive
from results import ROOT, packets_of
from schema import SCHEMA
from talks_in_bytes import ethernet_talk

from analyzer.commands.options import When, use_color
from analyzer.commands.outputs import binary_output, open_output
from analyzer.commands.unrelated import look_unrelated
from analyzer.errors import CaptureError, OutputError
from analyzer.pipeline.run import analyze

CAPTURES = ROOT / "captures"
DEAD_PEER, CROWD, FOUR = (CAPTURES / name / "capture.pcap" for name in ("dead-peer", "crowd", "refused-and-no-answer"))
ESCAPE = b"\x1b"


@pytest.mark.parametrize("command", [("annotate",), ("extract", "--stream", "0")])
def test_packets_go_to_standard_output(command: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    arguments: tuple[str | Path, ...] = (command[0], DEAD_PEER, *command[1:], "-o")
    run = keepalive(*arguments, "-")
    inside(*arguments, out)
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout == out.read_bytes()
    assert not Path("-").exists()
    again = keepalive("analyze", "-", "--format", "json", stdin=run.stdout)
    assert [flow["verdict"] for flow in json.loads(again.stdout)["flows"]] == ["dead_peer"]


def test_packets_do_not_go_to_a_terminal() -> None:
    leader, follower = pty.openpty()
    command = [*KEEPALIVE, "annotate", str(DEAD_PEER), "-o", "-"]
    child = subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=environment())
    os.close(follower)
    _, said = child.communicate(timeout=60)
    os.close(leader)
    assert child.returncode == 2
    assert b"terminal" in said


def test_text_goes_to_standard_output() -> None:
    run = keepalive("analyze", DEAD_PEER, "-o", "-")
    assert run.stdout.decode() == inside("analyze", DEAD_PEER)
    assert keepalive("analyze", DEAD_PEER, "--format", "parquet", "-o", "-").returncode == 2


def test_another_file_is_not_called_the_output(tmp_path: Path) -> None:
    """What happens to an input while the output is open."""
    for opened in (open_output(str(tmp_path / "text")), binary_output(str(tmp_path / "packets"))):
        with pytest.raises(PermissionError, match="input"), opened:
            raise PermissionError(13, "Permission denied", "input")
    with pytest.raises(OutputError, match="text: No space left"), open_output(str(tmp_path / "text")):
        raise OSError(28, "No space left on device")


def test_what_may_not_be_looked_at_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **options: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", refuse)
        with pytest.raises(CaptureError, match=r"^/secret/a.pcap: cannot be opened: Permission denied$"):
            analyze("/secret/a.pcap")


def test_what_cannot_be_opened_has_no_byte_number(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no capture")
    for name in ("missing", "text"):
        assert b": byte" not in keepalive("analyze", tmp_path / name).stderr


def test_a_capture_that_could_not_be_read_is_counted(tmp_path: Path) -> None:
    run = keepalive("analyze", tmp_path / "missing.pcap", DEAD_PEER)
    assert run.returncode == 0
    assert (
        run.stderr.decode().splitlines()[-1].endswith("1 of 2 captures could not be read; the result covers the others")
    )


@pytest.mark.parametrize("command", [("annotate",), ("extract", "--stream", "0"), ("analyze",)])
def test_verbose_names_the_format(command: tuple[str, ...], tmp_path: Path) -> None:
    run = keepalive(command[0], DEAD_PEER, *command[1:], "-v", "-o", tmp_path / "out")
    assert b"skipped: " in run.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert use_color(When.auto, Terminal())
    assert not use_color(When.auto, io.StringIO())
    assert use_color(When.always, io.StringIO())
    assert not use_color(When.never, Terminal())
    monkeypatch.setenv("NO_COLOR", "")
    assert use_color(When.auto, Terminal())  # no-color.org: an empty value does not count
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_color(When.auto, Terminal())
    assert use_color(When.always, Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not use_color(When.auto, Terminal())


@pytest.mark.parametrize("command", [("analyze", DEAD_PEER), ("explain",), ("explain", "dead-peer"), ("profiles",)])
def test_every_command_colours_on_request(command: tuple[str | Path, ...]) -> None:
    plain = keepalive(*command).stdout
    assert ESCAPE not in plain
    coloured = keepalive(*command, "--color", "always").stdout
    assert ESCAPE in coloured
    assert re.sub(rb"\x1b\[\d*m", b"", coloured) == plain
    assert keepalive(*command, "--color", "always", "--no-color").stdout == plain


def test_unrelated_captures_draw_a_hint() -> None:
    run = keepalive("analyze", DEAD_PEER, FOUR)
    assert run.returncode == 0
    assert b"the captures look unrelated" in run.stderr
    for option in (["--each"], ["--same-traffic", "no"], ["-q"]):
        assert b"unrelated" not in keepalive("analyze", DEAD_PEER, FOUR, *option).stderr


def split(folder: Path, *parts: tuple[slice, int]) -> list[str]:
    """Some packets of a conversation in files of their own, each so many seconds later."""
    packets, paths = ethernet_talk(), []
    for place, (part, later) in enumerate(parts):
        path = folder / f"{place}.pcap"
        path.write_bytes(pcap(one._replace(time=one.time + later * 10**9) for one in packets[part]))
        paths.append(str(path))
    return paths


@pytest.mark.parametrize(
    "parts",
    [[(slice(0, 6), 0), (slice(6, None), 0)],  # a set: one file after the other
     [(slice(6, None), 0), (slice(0, 6), 0)],  # whatever their order
     [(slice(0, 6), 0), (slice(6, None), 3000)],  # a pause that a connection outlasts
     [(slice(0, 9), 0), (slice(0, 9), 0)]],  # copies of one traffic
)  # fmt: skip
def test_what_follows_or_shares_packets_is_related(parts: list[tuple[slice, int]], tmp_path: Path) -> None:
    assert not look_unrelated(analyze(*split(tmp_path, *parts), engine="plain"))


@pytest.mark.parametrize(("later", "unrelated"), [(5, True), (15, False), (70, False), (3 * 86400, True)])
def test_other_connections_are_related_when_they_follow_soon(later: int, unrelated: bool, tmp_path: Path) -> None:
    packets, _ = packets_of(FOUR)
    path = tmp_path / "later.pcap"
    [first] = analyze(str(DEAD_PEER), engine="plain").captures
    assert first.first_time is not None
    shift = first.first_time + later * 10**9 - packets[0].time
    path.write_bytes(pcap(one._replace(time=one.time + shift) for one in packets))
    assert look_unrelated(analyze(str(DEAD_PEER), str(path), engine="plain")) == unrelated


@pytest.mark.parametrize("name", ["rotated-set", "rotated-by-rounds", "two-ends", "two-places-late"])
def test_recorded_sets_are_related(name: str) -> None:
    assert not look_unrelated(analyze(str(CAPTURES / name), engine="plain"))


def test_both_ends_are_named_by_their_files() -> None:
    path = CAPTURES / "two-ends"
    files = sorted(str(one) for one in path.glob("*.pcap*"))
    assert len(files) == 2
    named, listed = (as_json(*what, "--both-ends") for what in (files, [path]))
    assert named == listed
    observed = [one["evidence"]["observed"] for one in named["findings"] if "between-ends" in one["rule"]]
    assert observed
    for text in observed:
        assert all(Path(name).name in text for name in files)


def test_both_ends_of_a_directory_with_more_are_refused() -> None:
    run = keepalive("analyze", CAPTURES / "rotated-set", "--both-ends")
    assert run.returncode == 2
    assert b"a directory with these two" in run.stderr


def test_an_unknown_command_is_suggested_once() -> None:
    assert keepalive("analyse", DEAD_PEER).stderr.count(b"Did you mean") == 1


def test_the_schema_and_the_dashboard_are_printed() -> None:
    assert json.loads(inside("schema")) == SCHEMA
    assert json.loads(inside("dashboard"))["panels"]


def test_explain_takes_either_spelling_and_verdicts() -> None:
    assert inside("explain", "dead_peer") == inside("explain", "Dead-Peer") == inside("explain", "dead-peer")
    assert inside("explain", "dead-peer").startswith("dead-peer (high)\n")
    assert inside("explain", "healthy").startswith("healthy  ")
    assert b"did you mean 'dead-peer'?" in keepalive("explain", "deadpeer").stderr


def names(word: str) -> list[str]:
    return [line for line in inside("profiles", word).splitlines() if line and not line.startswith(" ")]


def test_profiles_are_found_by_whole_words_first() -> None:
    assert names("Go")
    assert all(re.search(r"(?<![\w-])go(?![\w-])", name.lower()) for name in names("go"))
    assert "Go net.Listen / accepted conns" in names("GO")
    assert names("AWS NLB (TCP listener)") == ["AWS NLB (TCP listener)"]
    assert names("ubernete")  # part of a word, where it is no word
    assert keepalive("profiles", "xyzzy").returncode == 2
    assert "confidence        high" in inside("profiles", "AWS NLB (TCP listener)")


def test_the_csv_has_settings_at_its_end() -> None:
    head, row = (line.split(",") for line in inside("analyze", DEAD_PEER, "--format", "csv").splitlines())
    cells = dict(zip(head, row, strict=True))
    assert head.index("tunnel") < head.index("tcp_keepalive_time_value_client")
    settings = [cells[f"tcp_keepalive_{name}_value_client"] for name in ("time", "intvl", "probes")]
    assert [float(value) for value in settings] == [3, 2, 4]
    assert cells["tcp_keepalive_time_value_server"] == ""
