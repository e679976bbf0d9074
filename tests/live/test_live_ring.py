"""`keepalive live --write`: what was captured is in files that say the same when they are analysed."""

from __future__ import annotations

import json
import signal
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from commands import keepalive
from live_network import talking
from living import capturing, ended, event, idle_since
from results import ROOT, TRUTHS

CAPTURES = [path.parent / json.loads(path.read_text())["capture"] for path in TRUTHS]
ONE_FILE = [path for path in CAPTURES if "*" not in path.name]
CROWD = ROOT / "captures" / "crowd" / "capture.pcap"


def exact(octets: bytes) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(octets, parse_float=Decimal)
    return result


def packets(path: Path) -> bytes:
    """Times, lengths and bytes of a capture's packets, as Wireshark's own tool lists them."""
    command = ["tshark", "-n", "-r", str(path), "-x", "-t", "e", "-o", "gui.column.format:Time,%t,Length,%L"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("path", ONE_FILE[::4], ids=lambda path: path.parent.name)
def test_what_was_written_says_the_same(path: Path, tmp_path: Path) -> None:
    live = exact(keepalive("live", "-", "--format", "json", "--write", tmp_path, stdin=path.read_bytes()).stdout)
    [written] = tmp_path.iterdir()
    assert written.stat().st_mode & 0o777 == 0o600
    again = exact(keepalive("analyze", written, "--format", "json").stdout)
    for one in ("flows", "findings", "hosts"):
        assert again[one] == live[one]
    assert sorted(again["captures"][0]["link_types"]) == sorted(live["captures"][0]["link_types"])
    same = ("packets", "tcp_packets", "first_time", "last_time")
    assert [again["captures"][0][name] for name in same] == [live["captures"][0][name] for name in same]


NAMES = ["dead-peer", "several-interfaces", "any-interface", "big-endian-nanoseconds", "cut-snaplen"]


@pytest.mark.parametrize("name", NAMES)
def test_every_octet_and_every_time_is_kept(name: str, tmp_path: Path) -> None:
    [path] = (ROOT / "captures" / name).glob("capture.*")
    assert keepalive("live", "-", "--write", tmp_path, stdin=path.read_bytes()).returncode == 0
    [written] = tmp_path.iterdir()
    assert packets(written) == packets(path)


def test_of_too_many_files_the_oldest_are_removed(tmp_path: Path) -> None:
    """And a file that is there already is not ours to remove."""
    (tmp_path / "mine.pcapng").write_bytes(b"mine")
    sizes = ("--write-size", "0.02", "--write-files", "3")
    assert keepalive("live", "-", "--write", tmp_path, *sizes, stdin=CROWD.read_bytes()).returncode == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 4
    assert names.pop() == "mine.pcapng"
    assert names[0].endswith(".pcapng") and not names[0].endswith("-000001.pcapng")
    kept = exact(keepalive("analyze", *(tmp_path / name for name in names), "--format", "json").stdout)
    whole = exact(keepalive("analyze", CROWD, "--format", "json").stdout)
    assert [capture["problems"] for capture in kept["captures"]] == [[], [], []]
    assert kept["captures"][-1]["last_time"] == whole["captures"][0]["last_time"]
    assert kept["captures"][0]["first_time"] > whole["captures"][0]["first_time"]


def test_a_full_disk_ends_the_writing_alone(tmp_path: Path) -> None:
    """No file may grow above a limit: writing fails in the middle of a packet, as it does when a disk is full."""
    ring = tmp_path / "ring"
    octets = CROWD.read_bytes()
    run = keepalive("live", "-", "--format", "json", "--write", ring, prefix=("prlimit", "--fsize=10000"), stdin=octets)
    assert run.returncode == 0
    assert b"File too large: what is captured from now on is not kept" in run.stderr
    assert exact(run.stdout)["flows"] == exact(keepalive("analyze", CROWD, "--format", "json").stdout)["flows"]
    [written] = ring.iterdir()
    assert exact(keepalive("analyze", written, "--format", "json").stdout)["captures"][0]["problems"] == []


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = keepalive("live", "-", "--write", tmp_path / "file" / "ring", stdin=idle_since(0))
    assert (run.returncode, run.stdout) == (4, b"")
    assert b"Not a directory" in run.stderr


def test_what_was_written_before_a_sudden_end_is_whole(tmp_path: Path) -> None:
    with capturing("--write", str(tmp_path)) as (hosts, process), talking(hosts):
        event(process, "answered")
        process.kill()
        process.wait()
    [written] = tmp_path.iterdir()
    result = exact(keepalive("analyze", written, "--format", "json").stdout)
    assert result["captures"][0]["problems"] == []
    assert [entry["answered"] for flow in result["flows"] for entry in flow["keepalive"]] == [1]


def test_a_dead_peer_seen_live_is_in_the_files(tmp_path: Path) -> None:
    with capturing("--write", str(tmp_path), "--no-sockets") as (hosts, process):
        with talking(hosts, (1, 1, 3)) as client:
            event(process, "answered")
            hosts.vanish()
            event(process, "dead-peer")
            client.wait(timeout=10)
        told = ended(process, signal.SIGINT)
    result = told[[line["type"] for line in told].index("result") :]
    [written] = tmp_path.iterdir()
    again = json.loads(keepalive("analyze", written, "--format", "json").stdout)
    for kind, name in (("flow", "flows"), ("finding", "findings"), ("host", "hosts")):
        live = [{key: value for key, value in line.items() if key != "type"} for line in result if line["type"] == kind]
        assert live == again[name]
