"""Scans by the workers of a Dask scheduler, of captures in a store as S3 is one: the same answer, whatever dies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from commands import keepalive
from results import ROOT
from stores import s3_store, upload
from synthetic_fleet import write_fleet

from analyzer import analyze
from analyzer.errors import UsageError
from analyzer.fleet.cluster import Cluster, cluster
from analyzer.fleet.scan import load, scan
from analyzer.fleet.work import Progress

BUCKET = "captures"


class Stored(NamedTuple):
    """Captures of a fleet in a store, and the same as files."""

    captures: Path
    filesystem: Any


@pytest.fixture(scope="module")
def workers() -> Iterator[Cluster]:
    """Two processes."""
    with cluster(None, 2, None) as found:
        yield found


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Two hundred rotated files of twenty hosts; a third of the connections span files, some are seen on two hosts."""
    folder = tmp_path_factory.mktemp("fleet") / "captures"
    write_fleet(folder)
    with pytest.MonkeyPatch.context() as patch, s3_store(patch) as filesystem:
        upload(filesystem, folder, BUCKET)
        filesystem.mkdir("results")
        yield Stored(folder, filesystem)


@pytest.fixture(scope="module")
def expected(stored: Stored) -> dict[str, Any]:
    """What `analyze` of all files at once gives, the files by their addresses in the store."""
    files = sorted(str(path) for path in stored.captures.rglob("*.pcap*"))
    text = analyze(*files).to_json().replace(str(stored.captures), f"s3://{BUCKET}")
    whole: dict[str, Any] = json.loads(text)
    return whole


def test_two_workers_and_a_store_give_the_same_answer(stored: Stored, expected: dict[str, Any]) -> None:
    """Listed, read and written there; asked, loaded and reported from there."""
    with cluster(None, 2, None) as workers:
        report = scan([f"s3://{BUCKET}/**/*.pcap"], "s3://results/first", workers)
    assert report.captures >= 199
    assert json.loads(report.analysis.to_json()) == expected
    assert json.loads(load("s3://results/first").to_json()) == expected
    again = keepalive("query", "s3://results/first", "lost-peers", "--format", "json", variables=dict(os.environ))
    dead = sum(flow["verdict"] == "dead_peer" for flow in expected["flows"])
    assert sum(row["connections"] for row in json.loads(again.stdout)) == dead > 0


def test_what_a_worker_that_is_killed_had_to_do_another_does(
    stored: Stored, expected: dict[str, Any], tmp_path: Path
) -> None:
    with cluster(None, 2, None) as workers:
        victims = workers.pids()

        def kill(progress: Progress) -> None:
            if progress.stage == "reading" and progress.done == 20:
                os.kill(victims[0], signal.SIGKILL)

        report = scan([f"s3://{BUCKET}/"], str(tmp_path / "out"), workers, progress=kill)
        assert victims[0] not in workers.pids()
    assert json.loads(report.analysis.to_json()) == expected
    assert json.loads(load(str(tmp_path / "out")).to_json()) == expected


def test_a_scan_that_is_interrupted_is_taken_up(stored: Stored, expected: dict[str, Any], tmp_path: Path) -> None:
    out = str(tmp_path / "out")

    class Interrupted(Exception):
        pass

    def interrupt(progress: Progress) -> None:
        if progress.stage == "reading" and progress.done == 60:
            raise Interrupted

    with cluster(None, 2, None) as workers:
        with pytest.raises(Interrupted):
            scan([f"s3://{BUCKET}/"], out, workers, progress=interrupt)
        with pytest.raises(UsageError, match="--resume takes it up"):
            scan([f"s3://{BUCKET}/"], out, workers)
        report = scan([f"s3://{BUCKET}/"], out, workers, resume=True)
    assert report.read < report.captures - 50
    assert json.loads(report.analysis.to_json()) == expected


def test_workers_of_a_scheduler_that_runs_elsewhere(tmp_path: Path) -> None:
    """By its address; workers that do not see the directory of results are named before anything is read."""
    from distributed import LocalCluster

    captures = [str(path) for path in sorted(ROOT.glob("captures/*/capture.pcap"))[:12]]
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=False, protocol="tcp"
        ) as there,
        cluster(there.scheduler_address, None, None) as workers,
    ):
        assert workers.count == 2
        report = scan(captures, str(tmp_path / "out"), workers)
        assert report.analysis.to_json() == analyze(*(facts.path for facts in report.analysis.captures)).to_json()
    with pytest.raises(UsageError, match="no scheduler answers there"), cluster("tcp://127.0.0.1:1", None, None):
        pass


def test_what_lies_elsewhere_is_noticed(workers: Cluster, tmp_path: Path) -> None:
    from analyzer.fleet.folder import Folder

    with pytest.raises(UsageError, match="is not the same directory on"):
        workers.check_sees(Folder(str(tmp_path)), "scan.json")
    (tmp_path / "scan.json").write_text("{}")
    workers.check_sees(Folder(str(tmp_path)), "scan.json")


def test_the_command(tmp_path: Path) -> None:
    captures = tmp_path / "captures"
    for number, path in enumerate(sorted(ROOT.glob("captures/*/capture.pcap"))[:6]):
        (captures / f"web-{number % 2}").mkdir(parents=True, exist_ok=True)
        (captures / f"web-{number % 2}" / f"eth0-{number}.pcap").write_bytes(path.read_bytes())
    done = keepalive("scan", captures, "-o", tmp_path / "out", "--workers", "2", "--no-progress")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"6 captures, 6 of them read now: ")
    reported = keepalive("report", tmp_path / "out", "--format", "markdown", "-o", "-")
    assert reported.returncode == 0
    assert b"# " in reported.stdout
    verdicts = json.loads(keepalive("analyze", tmp_path / "out", "--format", "json").stdout)
    given = json.loads(keepalive("analyze", captures / "web-*" / "*.pcap", "--format", "json").stdout)
    assert verdicts["flows"] == given["flows"]
    hosts = keepalive("query", tmp_path / "out", "SELECT DISTINCT host FROM flows ORDER BY 1", "--format", "csv")
    assert hosts.stdout == b"host\nweb-0\nweb-1\n"
