"""The kernels: their arithmetic, their tables, how they are compiled, and that they keep within bounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from samples import OF_EACH_KIND

from analyzer.kernels import KERNELS, Kernels, plain
from analyzer.kernels.arithmetic import seq_diff, serial_diff
from analyzer.kernels.engine import machine
from analyzer.kernels.engine.registry import ENTRY_POINTS
from analyzer.tables.fields import FLOW_SIZE, LINE
from analyzer.tcp import EVENTS, NEXT_STATE, TRANSITIONS, Event, State

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("half", [2, 8, 32])
def test_seq_diff_is_the_shortest_way_round(half: int) -> None:
    modulus = 2 * half
    for a in range(modulus):
        for b in range(modulus):
            distance = serial_diff(a, b, half)
            assert -half <= distance < half
            assert (b + distance) % modulus == a


@pytest.mark.parametrize("half", [4, 16])
def test_seq_diff_changes_its_sign_with_the_direction(half: int) -> None:
    for a in range(2 * half):
        for b in range(2 * half):
            if serial_diff(a, b, half) != -half:  # exactly opposite: both ways are as long
                assert serial_diff(a, b, half) == -serial_diff(b, a, half)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        (0, 2**32 - 1, 1),
        (2**32 - 1, 0, -1),
        (10, 2**32 - 10, 20),
        (2**31, 0, -(2**31)),
        (2**31 - 1, 0, 2**31 - 1),
        (0, 2**31, -(2**31)),
        (5, 5, 0),
    ],
)
def test_seq_diff_at_the_wrap(a: int, b: int, distance: int) -> None:
    assert seq_diff(a, b) == distance


def test_compiled_seq_diff_agrees() -> None:
    made = pytest.importorskip("numba").njit(serial_diff)
    edges = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]
    assert [[made(a, b, 1 << 31) for a in edges] for b in edges] == [[seq_diff(a, b) for a in edges] for b in edges]


def test_next_state_is_the_table_of_transitions() -> None:
    for state in State:
        for event in Event:
            assert NEXT_STATE[state * EVENTS + event] == TRANSITIONS[state].get(event, state)
    assert len(NEXT_STATE) == len(State) * len(Event)


def test_kernels_stand_in_an_order_in_which_each_calls_only_those_before_it() -> None:
    seen: set[str] = set()
    for name, function in KERNELS.items():
        called = set(function.__code__.co_names) & set(KERNELS)
        assert called <= seen, f"{name} calls {called - seen} before they are registered"
        seen.add(name)


def test_plain_and_compiled_offer_the_same(compiled: Kernels) -> None:
    assert not plain().compiled
    assert compiled.compiled
    assert set(Kernels._fields[1:]) <= set(ENTRY_POINTS)


@pytest.mark.parametrize("table", [[0] * FLOW_SIZE, np.zeros(FLOW_SIZE, np.int32), np.zeros(2 * FLOW_SIZE)[::2]])
def test_a_compiled_kernel_refuses_a_table_of_another_kind(compiled: Kernels, table: Any) -> None:
    """It takes an address and a length: anything but a plain int64 array would be misread, or read beyond."""
    with pytest.raises((TypeError, ValueError, AttributeError)):
        compiled.rehash(table, 0, compiled.ints(8))


@pytest.mark.parametrize("rows", [1, 3, 70, 5_000])
def test_a_table_begins_with_a_cache_line_and_keeps_what_it_holds_while_it_grows(compiled: Kernels, rows: int) -> None:
    table: Any = compiled.ints(0)
    for size in range(0, rows * FLOW_SIZE, rows * FLOW_SIZE // 7):
        table = compiled.adopt(table, size)
        assert len(table) == size
        assert not size or table.ctypes.data % (8 * LINE) == 0
        table[:] = np.where(table == 0, np.arange(size), table)
        assert table.tolist() == list(range(size))


def test_what_a_table_grows_by_is_zeros_wherever_it_comes_to_lie(compiled: Kernels) -> None:
    tables = [compiled.ints(5) for _ in range(50)]
    for number, table in enumerate(tables):
        cast(Any, table)[:] = [number + 1] * 5
        grown: Any = compiled.adopt(table, 5 + 300 * number)
        assert grown.tolist() == [number + 1] * 5 + [0] * 300 * number


# -- bounds, and what takes compiling


def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A script in a Python of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_BOUNDSCHECK"}
    return subprocess.run(
        [sys.executable, str(Path(__file__).parents[1] / "support" / script), *arguments],
        env={**inherited, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What becomes of the kernels and of recordings where each access is checked."""
    pytest.importorskip("numba")
    cache = str(tmp_path_factory.mktemp("cache"))
    result = run("bounds_checked.py", *map(str, OF_EACH_KIND), NUMBA_BOUNDSCHECK="1", XDG_CACHE_HOME=cache)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return {**found, "cache": cache}


def test_every_kernel_is_compiled_for_one_signature_that_of_its_annotations(checked: dict[str, Any]) -> None:
    assert set(ENTRY_POINTS) <= set(checked["signatures"]) == set(KERNELS) - {machine.INTRINSIC}
    assert [name for name, only in checked["signatures"].items() if not only] == []


def test_compiled_kernels_stay_within_bounds_and_agree_with_the_plain_ones(checked: dict[str, Any]) -> None:
    assert checked["agree"] == dict.fromkeys(map(str, OF_EACH_KIND), True)


def test_a_kernel_that_reads_out_of_bounds_is_caught_by_the_check(checked: dict[str, Any]) -> None:
    result = run("bounds_overrun.py", NUMBA_BOUNDSCHECK="1", XDG_CACHE_HOME=checked["cache"])
    assert (result.returncode, "IndexError" in result.stderr) == (1, True)


def test_and_by_nothing_else() -> None:
    result = run("bounds_overrun.py")
    assert (result.returncode, result.stderr) == (0, "")
