"""What scans cost: the model scales as it says, a store counts what it counts, and a simulation agrees with it."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from bench_scan import Kind, write_fleet
from counted_store import counted_store
from fleet_cost import COSTS, DAYS, days_in_rows, scan_of
from fleet_model import CLOUD, GB, LOCAL, PB, TB, a_day, breaks, estimate, loads, requests_of, seconds
from fleet_simulation import simulate
from results import ROOT

from analyzer.fleet.scan import scan
from analyzer.fleet.state import MOST_PARTITIONS
from analyzer.fleet.work import Here

VOLUMES = [10 * GB, 100 * GB, TB, 10 * TB, 100 * TB, PB]
MANUAL = (ROOT / "analyzer" / "manual" / "topics" / "scan.md").read_text(encoding="utf-8")
GROWING = (
    "core_s",
    "worker_s",
    "serial_s",
    "shuffled",
    "blocks",
    "parquet",
    "tasks",
    "gatherer_octets",
    "tasks_octets",
)
AGREE = 1.3  # the longest of unlike tasks comes last, and the form does not know it
SLACK = 0.02  # for what is rounded up to whole files, slices and hosts


@pytest.mark.parametrize("name", GROWING)
def test_more_captures_take_more(name: str) -> None:
    found = [getattr(estimate(a_day(octets), COSTS), name) for octets in VOLUMES]
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_slower_parts_and_farther_stores_take_longer() -> None:
    day = a_day(TB)
    taken = seconds(day, COSTS)
    for name, cost in COSTS._asdict().items():
        assert seconds(day, COSTS._replace(**{name: 2 * cost})) >= taken
    assert seconds(day, COSTS, CLOUD._replace(latency=2 * CLOUD.latency)) > taken
    assert seconds(day._replace(workers=2 * day.workers), COSTS) < taken


@pytest.mark.parametrize(("name", "power"), [("shuffled", 1), ("blocks", 1), ("serial_s", 1), ("tasks_octets", 2)])
def test_once_there_are_as_many_partitions_as_may_be_it_is_a_power_of_the_volume(name: str, power: int) -> None:
    some, twice = (estimate(a_day(octets), COSTS) for octets in (100 * TB, 200 * TB))
    assert some.partitions == MOST_PARTITIONS
    assert getattr(twice, name) / getattr(some, name) == pytest.approx(2**power, rel=SLACK if power == 1 else 2 * SLACK)


def test_rows_go_to_more_files_the_more_hosts_a_slice_meets() -> None:
    some, twice = (estimate(a_day(octets), COSTS).parquet for octets in (10 * TB, 20 * TB))
    assert twice / some == pytest.approx(4, rel=2 * SLACK)  # of twice the slices each meets twice the hosts


@pytest.mark.parametrize("name", DAYS)
def test_a_simulation_agrees_with_the_closed_form(name: str) -> None:
    octets, workers = DAYS[name]
    day = a_day(octets, workers)
    assert 1 / AGREE < simulate(day, COSTS, CLOUD).seconds / seconds(day, COSTS) < AGREE


def test_a_simulation_of_like_tasks_is_the_closed_form() -> None:
    day = a_day(100 * GB, 8)
    assert simulate(day, COSTS, LOCAL, alike=True).seconds == pytest.approx(seconds(day, COSTS, LOCAL), rel=SLACK)


def test_a_simulation_says_the_same_every_time() -> None:
    day = a_day(TB)
    assert simulate(day, COSTS, CLOUD, seed=7) == simulate(day, COSTS, CLOUD, seed=7)
    assert simulate(day, COSTS, CLOUD, seed=7) != simulate(day, COSTS, CLOUD, seed=8)


def test_a_store_is_asked_as_often_as_the_model_counts(tmp_path: Path) -> None:
    files, partitions = 6, 4
    write_fleet(tmp_path / "captures", Kind(3000, 100, 0), files)
    asked = counted_store()
    store = fsspec.filesystem("counted")
    for path in sorted((tmp_path / "captures").rglob("*.pcap")):
        store.pipe_file(f"/in/{path.parent.name}/{path.name}", path.read_bytes())
    asked.clear()
    report = scan(["counted://in"], "counted://out", Here(), partitions=partitions)
    expected = requests_of(scan_of(report, 1, partitions=partitions))
    asked.pop("PUT parquet")
    assert dict(asked) == pytest.approx(expected)


def test_what_breaks_first_is_what_the_manual_says() -> None:
    octets, first = breaks(COSTS)[0]
    assert f"First the {first} runs out: 64 GB at {octets / TB:.2g} TB a day" in MANUAL
    load = loads(PB, COSTS)
    assert max(load, key=lambda name: load[name]) in ("tasks that wait in the scheduler's memory", first)
    assert load[first] > 1
    assert all(value < 1 for value in loads(octets / 2, COSTS).values())


def test_the_manual_has_the_table_that_is_printed() -> None:
    for row in days_in_rows(COSTS):
        assert row in MANUAL
