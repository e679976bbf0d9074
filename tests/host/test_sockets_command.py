"""`keepalive sockets`: selecting, sorting, every form of output, exit statuses, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest
from commands import inside, keepalive
from snippet_checks import AS_NOBODY

from analyzer.host import procfs, take_snapshot
from analyzer.report.socket_records import FIELDS

SS = """State Recv-Q Send-Q Local Address:Port Peer Address:Port Process
ESTAB 0 0 10.0.0.1:40001 10.0.0.9:5432 users:(("agent",pid=7,fd=5)) ino:11 sk:1 <->
\t rto:204 lastsnd:90000000 lastrcv:90000000 lastack:90000000
ESTAB 0 0 10.0.0.1:40002 10.0.0.9:5432 users:(("agent",pid=7,fd=6)) timer:(keepalive,42sec,0) ino:12 sk:2 <->
\t rto:204 lastsnd:18000 lastrcv:18000 lastack:18000
ESTAB 0 900 10.0.0.1:40003 10.0.0.8:443 users:(("curl",pid=8,fd=3)) timer:(on,1.200ms,6) ino:13 sk:3 <->
\t rto:204 lastsnd:24000 lastrcv:31000 lastack:31000
CLOSE-WAIT 1 0 10.0.0.1:40004 10.0.0.8:443 users:(("worker",pid=9,fd=8)) ino:14 sk:4 <->
\t rto:204 lastsnd:60000 lastrcv:60000 lastack:50000
ESTAB 0 0 10.0.0.1:40005 10.0.0.7:80 users:(("agent",pid=7,fd=7)) timer:(keepalive,118min,0) ino:15 sk:5 <->
\t rto:204 lastsnd:100000 lastrcv:100000 lastack:100000
LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3)) ino:16 sk:6 <->
TIME-WAIT 0 0 10.0.0.1:40006 10.0.0.7:80 timer:(timewait,31sec,0) ino:0 sk:7
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "ss.txt"
    path.write_text(SS)
    return path


def test_what_leaks_or_waits_comes_first(told: Path) -> None:
    text = inside("sockets", "--from", told, "-v", "--limit", "0")
    headings = [line for line in text.splitlines() if line.startswith(("HIGH", "MEDIUM", "LOW"))]
    rules = [line.split()[1].rstrip(":") for line in headings]
    assert rules == ["unprotected-socket", "data-unacknowledged", "close-wait-held", "two-hour-default"]
    assert "agent (pid 7) holds 1 connection to 10.0.0.9:5432 without keepalive, silent for up to 25 h" in " ".join(
        text.split()
    )
    rows = [line.split()[1] for line in text.splitlines() if line.startswith(("ESTABLISHED", "CLOSE-WAIT"))]
    assert rows[-1] == "10.0.0.1:40002"  # which is well
    assert len(rows) == 5


def test_a_silence_of_a_day_without_keepalive_is_high(told: Path) -> None:
    assert "HIGH unprotected-socket: 1 socket, possible" in inside("sockets", "--from", told)
    assert "unprotected-socket" not in inside("sockets", "--from", told, "--idle-after", "100000")


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        (["--state", "close-wait"], [40004]),
        (["--state", "CLOSE_WAIT"], [40004]),
        (["--state", "listening"], [22]),
        (["--state", "time-wait"], [40006]),
        (["--host", "10.0.0.9"], [40001, 40002]),
        (["--host", "10.0.0.8/31"], [40001, 40003, 40004, 40002]),
        (["--host", "!10.0.0.8/29"], [40005]),
        (["--port", "https"], [40003, 40004]),
        (["--port", "5000-6000"], [40001, 40002]),
        (["--process", "agent"], [40001, 40005, 40002]),
        (["--process", "9"], [40004]),
        (["--suspects"], [40001, 40003, 40004, 40005]),
        (["--sort", "timer"], [40003, 40002, 40005, 40001, 40004]),
        (["--sort", "unsent"], [40003, 40001, 40002, 40004, 40005]),
        (["--sort", "process"], [40001, 40002, 40005, 40003, 40004]),
    ],
)
def test_sockets_are_selected_and_sorted(words: list[str], ports: list[int], told: Path) -> None:
    shown = json.loads(inside("sockets", "--from", told, "--format", "json", *words))
    assert [one["local_port"] for one in shown["sockets"]] == ports


def test_all_states_are_everything(told: Path) -> None:
    shown = json.loads(inside("sockets", "--from", told, "--state", "all", "--format", "json"))
    assert len(shown["sockets"]) == 7


def test_every_form_says_the_same(told: Path, tmp_path: Path) -> None:
    whole = json.loads(inside("sockets", "--from", told, "--format", "json"))
    lines = [json.loads(line) for line in inside("sockets", "--from", told, "--format", "ndjson").splitlines()]
    rows = list(csv.DictReader(io.StringIO(inside("sockets", "--from", told, "--format", "csv"))))
    out = tmp_path / "sockets.parquet"
    assert keepalive("sockets", "--from", told, "--format", "parquet", "-o", out).returncode == 0
    table = pyarrow.parquet.read_table(out)
    assert [one["type"] for one in lines] == ["snapshot", *["socket"] * 5, *["suspect"] * 4]
    assert [{key: one[key] for key in FIELDS} for one in lines if one["type"] == "socket"] == whole["sockets"]
    assert table.to_pylist() == whole["sockets"]
    assert [row["community_id"] for row in rows] == [one["community_id"] for one in whole["sockets"]]
    assert [one["rule"] for one in whole["suspects"]] == [one["rule"] for one in lines if one["type"] == "suspect"]
    assert whole["suspects"][0]["sockets"] == [1]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_it_fits_the_terminal(width: int, told: Path) -> None:
    from analyzer.diagnose.sockets import find_suspects
    from analyzer.host.ss import read_ss
    from analyzer.report.layout import Layout
    from analyzer.report.sockets import write_sockets

    found = read_ss(SS)
    out = io.StringIO()
    write_sockets(found, find_suspects(found), [], Layout(width, True, lambda text, _: text, lines=40), out)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= 40


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--state", "asleep"], 2, "no such state"),
        (["--host", "db.example"], 2, "not an IP address"),
        (["--netns", "x"], 2, "leave --from out"),
        (["--saw-tooth", "3", "-o", "x.png"], 2, "leave --from and --watch out"),
        (["--format", "parquet"], 2, "-o FILE"),
        (["--host", "203.0.113.1"], 6, "none of 7 sockets matches"),
        (["--fail-on", "high"], 1, ""),
        (["--fail-on", "low", "--host", "10.0.0.1", "--port", "40002"], 0, ""),
    ],
)
def test_statuses_mean_what_they_mean_elsewhere(words: list[str], status: int, says: str, told: Path) -> None:
    done = keepalive("sockets", "--from", told, *words)
    assert (done.returncode, says in done.stderr.decode()) == (status, True)


def test_what_is_not_there_and_what_is_something_else(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("nothing of the kind\n")
    for path, says in ((tmp_path / "none", "cannot be read"), (other, "no socket in it")):
        done = keepalive("sockets", "--from", path)
        assert (done.returncode, says in done.stderr.decode()) == (3, True)
    assert keepalive("sockets", "--saw-tooth", "1").returncode == 2
    assert keepalive("sockets", "--saw-tooth", "1", "-o", tmp_path / "x.gif").returncode == 2


def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from analyzer.errors import UsageError

    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UsageError, match="on Linux alone"):
        take_snapshot()


def test_where_netlink_is_refused_proc_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("analyzer.host.diag.read_sockets", refused)
    snapshot = take_snapshot()
    assert not snapshot.idle_known
    assert {one.local for one in snapshot.sockets} == {one.local for one in procfs.read_sockets()}


def test_a_user_without_rights_sees_sockets_and_is_told_what_is_hidden() -> None:
    done = keepalive("sockets", "--state", "all", "--format", "json", prefix=tuple(AS_NOBODY))
    assert done.returncode == 0
    assert json.loads(done.stdout)["unseen_processes"] > 0
    assert keepalive("sockets", "--netns", "all", prefix=tuple(AS_NOBODY)).returncode == 2


def stalled(unanswered: int, idle: int) -> str:
    row = f"ESTAB 0 9000 10.0.0.1:40001 10.0.0.9:5432 timer:(persist,1.200ms,{unanswered}) ino:11 sk:1 <->\n"
    return row + f"\t rto:204 lastsnd:{idle} lastrcv:{idle} lastack:500\n"


@pytest.mark.parametrize(
    ("unanswered", "idle", "rule"),
    [(0, 30_000, "window-closed"), (0, 3_000, None), (1, 30_000, "window-closed"), (4, 30_000, "probes-unanswered")],
)
def test_a_closed_window_is_no_dead_host(unanswered: int, idle: int, rule: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ss.txt"
    path.write_text(stalled(unanswered, idle))
    shown = json.loads(inside("sockets", "--from", path, "--format", "json"))
    assert [one["rule"] for one in shown["suspects"]] == ([rule] if rule else [])
