"""The command line: what is printed, where, and in which form."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import stat
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import pytest
from captures_in_bytes import captured, pcap
from commands import KEEPALIVE, Variables, as_json, environment, inside, keepalive, output, until_drained
from frames_in_bytes import ethernet, ipv6, tcp
from results import EVERY_CAPTURE, ROOT
from talks_in_bytes import ethernet_talk

from analyzer.diagnose import VERDICTS, load_rules

DEAD_PEER, IPV6 = (ROOT / "captures" / name / "capture.pcap" for name in ("dead-peer", "ipv6"))
FOUR_ENDS = ROOT / "captures" / "refused-and-no-answer" / "capture.pcap"
ESCAPE = "\x1b"


def on_a_terminal(*arguments: str | Path, variables: Variables | None = None) -> str:
    """What a command prints to a terminal."""
    leader, follower = pty.openpty()
    command = [*KEEPALIVE, *map(str, arguments)]
    child = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment(variables))
    os.close(follower)
    printed = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while data := os.read(leader, 1 << 16):
            printed += data
    os.close(leader)
    assert child.wait(timeout=60) == 0, printed
    return printed.decode().replace("\r\n", "\n")


def table_of(text: str) -> list[list[str]]:
    """The rows of the table of connections, by column."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip().startswith("#  "))
    rows = [line.strip() for line in [*lines, ""][first : [*lines, ""].index("", first)]]
    return [re.split(r" {2,}", row) for row in rows if not row.startswith("...")]


def test_text_tells_the_story_of_a_dead_peer() -> None:
    text = output("analyze", DEAD_PEER)
    facts = as_json(DEAD_PEER)
    packets, tcp = (facts["captures"][0][name] for name in ("packets", "tcp_packets"))
    assert text.startswith("198.51.100.20:7000 ")
    assert f"\n{DEAD_PEER}: {packets} packets, {tcp} TCP, {packets - tcp} other; 11.2 s from 20" in text
    heading, row = table_of(text)
    assert heading == ["#", "client", "server", "verdict", "lasted", "packets", "probes", "end"]
    assert row == ["0", "192.0.2.10:40001", "198.51.100.20:7000", "dead_peer", "11.2 s", str(tcp),
                   "client 4 at 3/2/4 (4 lost)", "RST by client: keepalive exhausted"]  # fmt: skip
    assert "\n1 connection: 1 dead_peer\n" in text
    assert "\nHIGH dead-peer: stream 0, certain\n" in text
    text = output("analyze", DEAD_PEER, "--findings", "full")
    assert "\nHIGH dead-peer (stream 0, certain)\n" in text
    frames = [probe["frame"] for probe in facts["flows"][0]["keepalive"][0]["episodes"][0]["probes"]]
    assert f"  Wireshark: frame.number in {{{', '.join(map(str, frames))}}}\n" in text


def test_text_lists_one_line_per_connection_and_counts_verdicts() -> None:
    text = output("analyze", FOUR_ENDS)
    assert [(row[0], row[3]) for row in table_of(text)[1:]] == [
        ("0", "refused"), ("1", "no_answer"), ("2", "aborted"), ("3", "closed")
    ]  # fmt: skip
    assert "\n4 connections: 1 refused, 1 no_answer, 1 aborted, 1 closed\n" in text


@pytest.mark.parametrize(("limit", "listed"), [(0, 4), (1, 1), (3, 3), (4, 4), (9, 4)])
def test_limit_cuts_the_list_and_not_the_counts(limit: int, listed: int) -> None:
    text = inside("analyze", FOUR_ENDS, "--limit", str(limit))
    assert len(table_of(text)) - 1 == listed
    assert ("... and " in text) == (listed < 4)
    assert (f"... and {4 - listed} more\n" in text) == (listed < 4)
    assert "4 connections: 1 refused, 1 no_answer, 1 aborted, 1 closed" in text


def test_the_worst_come_first() -> None:
    text = output("analyze", "-q", FOUR_ENDS, DEAD_PEER, "--limit", "1")
    assert table_of(text)[1][3] == "dead_peer"


@EVERY_CAPTURE
def test_csv_is_the_table_of_flows(capture: Path) -> None:
    flows = as_json(capture)["flows"]
    rows = list(csv.DictReader(io.StringIO(inside("analyze", capture, "--format", "csv"))))
    assert [row["verdict"] for row in rows] == [flow["verdict"] for flow in flows]
    for row, flow in zip(rows, flows, strict=True):
        assert (row["stream"], row["roles"]) == (str(flow["stream"]), flow["roles"])
        assert (row["client_address"], row["server_port"]) == (flow["client"]["address"], str(flow["server"]["port"]))
        assert Decimal(row["start"]) == flow["start"]
        assert (row["ending_how"], row["ending_by"] or None) == (flow["ending"]["how"], flow["ending"]["by"])
        probes = {entry["sender"]: str(entry["probes"]) for entry in flow["keepalive"]}
        assert [row[f"probes_{side}"] for side in ("client", "server")] == [
            probes.get(side, "0") for side in ("client", "server")
        ]


def test_ndjson_is_one_object_a_line() -> None:
    lines = [json.loads(line) for line in output("analyze", DEAD_PEER, "--format", "ndjson").splitlines()]
    assert [line["type"] for line in lines] == ["capture", "flow", "finding"]


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_a_capture_without_packets_has_an_empty_result(tmp_path: Path, form: str) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    text = output("analyze", path, "--format", form)
    assert str(path) in text or form == "csv"


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_an_output_file_is_for_its_owner_alone(tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    before = os.umask(0)
    try:
        assert output("analyze", DEAD_PEER, "--format", form, "-o", out) == ""
    finally:
        os.umask(before)
    assert out.read_text(encoding="utf-8") == inside("analyze", DEAD_PEER, "--format", form)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_an_output_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("what was there before, and longer than the result " * 1000)
    out.chmod(0o666)
    output("analyze", DEAD_PEER, "-o", out)
    assert out.read_text(encoding="utf-8") == output("analyze", DEAD_PEER)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_utc_and_local_time_are_named() -> None:
    local, universal = (
        output("analyze", DEAD_PEER, *options, variables={"TZ": "XYZ-5:30"}) for options in ([], ["--utc"])
    )
    pattern = r"from (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (\w+)\n"
    (when, name), (utc_when, utc_name) = (re.search(pattern, text).groups() for text in (local, universal))  # type: ignore[union-attr]
    assert (name, utc_name) == ("XYZ", "UTC")
    assert when != utc_when


LONG = ("2001:db8:ffff:eeee:dddd:cccc:bbbb:10", "2001:db8:ffff:eeee:dddd:cccc:bbbb:20")


def test_long_addresses_are_shortened_in_the_middle_on_a_terminal_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap([captured(ethernet(ipv6(tcp(), source=LONG[0], destination=LONG[1])), 0)]))
    piped, shown = output("analyze", path), on_a_terminal("analyze", path)
    assert f"[{LONG[0]}]:40001" in piped
    assert f"[{LONG[0]}]:40001" not in shown
    assert re.search(r"\[2001:db8.*….*:10\]:40001 ", shown)
    assert re.search(r"\[2001:db8.*….*:20\]:7000 ", shown)


def test_a_terminal_gets_colour_unless_refused() -> None:
    assert ESCAPE in on_a_terminal("analyze", DEAD_PEER)
    for text in (
        on_a_terminal("analyze", DEAD_PEER, "--no-color"),
        on_a_terminal("analyze", DEAD_PEER, variables={"NO_COLOR": "1"}),
    ):
        assert ESCAPE not in text
        assert table_of(text)[1][3] == "dead_peer"


def test_elsewhere_nothing_is_coloured_or_shortened() -> None:
    text = output("analyze", IPV6, variables={"COLUMNS": "20"})
    (flow,) = as_json(IPV6)["flows"]
    for side in ("client", "server"):
        assert f"[{flow[side]['address']}]:{flow[side]['port']}" in text
    assert ESCAPE not in text


def test_quiet_changes_standard_error_alone_and_verbose_adds_evidence(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(pcap(ethernet_talk())[:-5])
    forms: tuple[list[str], ...] = ([], ["-q"], ["-v"], ["--findings", "full"])
    plain, quiet, verbose, full = (keepalive("analyze", cut, *options) for options in forms)
    assert plain.stdout == quiet.stdout != verbose.stdout == full.stdout
    assert plain.returncode == quiet.returncode == verbose.returncode == 0
    assert quiet.stderr == b""
    offset = len(pcap(ethernet_talk()[:-1]))
    assert plain.stderr.decode().count("\n") == 1
    assert f"{cut}: byte {offset}: " in plain.stderr.decode()
    assert verbose.stderr.startswith(plain.stderr)
    assert "ETHERNET" in verbose.stderr.decode()


def test_text_names_the_damage(tmp_path: Path) -> None:
    """Standard error may be lost or silenced: whoever reads the result must know that it is of a part."""
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(pcap(ethernet_talk())[:-5])
    run = keepalive("analyze", cut, tmp_path / "missing.pcap", "-q")
    assert (run.returncode, run.stderr) == (0, b"")
    text = run.stdout.decode()
    assert f"byte {len(pcap(ethernet_talk()[:-1]))}" in text
    assert "No such file" in text
    assert "missing.pcap: no packets" not in text


def test_a_progress_bar_is_drawn_on_standard_error_alone() -> None:
    data = pcap(ethernet_talk())
    silent = keepalive("analyze", "-", "--no-progress", stdin=data)
    command = [*KEEPALIVE, "analyze", "-", "--progress"]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert child.stdin
    child.stdin.write(data[:500])
    child.stdin.flush()
    until_drained(child.stdin)
    time.sleep(1.1)  # it is drawn when the work has lasted a second
    out, _ = child.communicate(data[500:], timeout=60)
    assert (child.returncode, out) == (0, silent.stdout)
    assert silent.stderr == b""


def test_explain_covers_every_rule_and_every_verdict() -> None:
    listed = output("explain")
    for name, rule in load_rules().items():
        assert re.search(rf"^{name} ", listed, re.MULTILINE), name
        text = inside("explain", name)
        assert text.startswith(f"{name} ({rule.severity})\n")
        assert len(text.splitlines()) > 4
    verdicts = output("explain", "verdicts")
    words = re.findall(r"^  (\S+)", verdicts, re.MULTILINE)
    assert words == [verdict.word for verdict in VERDICTS]


def test_every_command_has_help() -> None:
    whole = output("--help")
    commands = re.findall(r"^  (\w+)  ", whole.partition("Commands:")[2], re.MULTILINE)
    assert {"analyze", "explain"} <= set(commands)
    for command in commands:
        for option in ("--help", "-h"):
            text = output(command, option)
            assert f"{command} " in text
            assert "--help" in text


def test_help_of_analyze_names_every_option() -> None:
    text = output("analyze", "--help")
    selectors = ["--stream", "--host", "--port", "--verdict", "--start", "--end", "--limit"]
    selectors += ["--severity", "--rule", "--ignore"]
    output_options = ["--format", "--output", "-o", "--utc", "--color", "--no-color"]
    others = ["--idle-after", "--fail-on", "--progress", "--no-progress", "--quiet", "-q", "--verbose", "-v"]
    assert [option for option in selectors + output_options + others if option not in text] == []


def test_the_version_is_that_of_the_package() -> None:
    assert re.fullmatch(r"keepalive \d+\.\d+\.\d+\S*\n", output("--version"))
