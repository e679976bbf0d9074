"""The kernels: their arithmetic, their tables, how they are compiled, and that they keep within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import OF_EACH_KIND

from analyzer.kernels import Kernels, plain
from analyzer.kernels.arithmetic import seq_diff, serial_diff
from analyzer.kernels.engine.building import build
from analyzer.kernels.engine.library import load
from analyzer.kernels.engine.memory import Table
from analyzer.kernels.engine.registry import ENTRY_POINTS
from analyzer.kernels.sources import KERNELS
from analyzer.pipeline.run import analyze
from analyzer.tables.fields import (
    CAPLEN,
    COUNTS_SIZE,
    FLOW_SIZE,
    LINE,
    LINK_TYPE,
    ORIGLEN,
    PACKET_SIZE,
    RECORD_SIZE,
)
from analyzer.tcp import EVENTS, NEXT_STATE, TRANSITIONS, Event, State
from analyzer.wire import LINKTYPE_ETHERNET


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


@pytest.mark.parametrize("table", [[0] * FLOW_SIZE, bytearray(FLOW_SIZE), np.zeros(FLOW_SIZE, np.int64)])
def test_a_compiled_kernel_takes_tables_alone(compiled: Kernels, table: Any) -> None:
    """It takes an address and a length: anything else would be misread, or read beyond."""
    with pytest.raises(AttributeError):
        compiled.rehash(table, 0, compiled.ints(8))
    with pytest.raises(TypeError, match="8 bytes an item"):
        compiled.rehash(compiled.view(bytearray(FLOW_SIZE)), 0, compiled.ints(8))


@pytest.mark.parametrize("rows", [1, 3, 70, 5_000, 30_000])
def test_a_table_begins_with_a_cache_line_and_keeps_what_it_holds_while_it_grows(compiled: Kernels, rows: int) -> None:
    table: Any = compiled.ints(0)
    for size in range(0, rows * FLOW_SIZE, rows * FLOW_SIZE // 7):
        table = compiled.adopt(table, size)
        assert len(table) == size
        assert not size or table.address % (8 * LINE) == 0
        array = np.asarray(table)
        assert size == 0 or array.ctypes.data == table.address
        array[:] = np.where(array == 0, np.arange(size), array)
        assert (array == np.arange(size)).all()


def test_what_a_table_grows_by_is_zeros_wherever_it_comes_to_lie(compiled: Kernels) -> None:
    tables = [compiled.ints(5) for _ in range(50)]
    for number, table in enumerate(tables):
        np.asarray(table)[:] = number + 1
        grown: Any = compiled.adopt(table, 5 + 300 * number)
        assert grown[:].tolist() == [number + 1] * 5 + [0] * 300 * number


def test_a_list_becomes_a_table(compiled: Kernels) -> None:
    table = compiled.adopt([1, -2, 3], 5)
    assert [table[i] for i in range(len(table))] == [1, -2, 3, 0, 0]


def test_where_pages_cannot_be_moved_they_are_copied(compiled: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.kernels.engine.memory._Mapping.grow", lambda mapping, size: False)
    table: Any = compiled.ints(1 << 18)
    table[5] = 7
    grown: Any = compiled.adopt(table, 1 << 19)
    assert (grown[5], grown[(1 << 19) - 1], grown.address != table.address) == (7, 0, True)


def test_a_view_keeps_the_memory_that_it_was_cut_out_of(compiled: Kernels) -> None:
    table: Any = compiled.ints(1 << 18)
    table[1 << 17] = 5
    view = table[1 << 17 :]
    del table
    assert view[0] == 5


# -- bounds


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """The kernels as machine code that checks each access."""
    library = tmp_path_factory.mktemp("checked") / "kernels.so"
    build(library, "-DCHECKED")
    made = load(str(library))
    return Kernels(True, *[made[name] for name in Kernels._fields[1:]])


@pytest.mark.parametrize("path", OF_EACH_KIND, ids=lambda path: path.parent.name)
def test_kernels_stay_within_bounds(path: Path, checked: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.pipeline.run.compiled", lambda notify: checked)
    analysis, known = analyze(str(path), engine="compiled"), analyze(str(path), engine="plain")
    assert list(analysis.flows) == list(known.flows)
    assert analysis.captures == known.captures


def beyond_the_end(kernels: Kernels) -> int:
    """Decode a record of sixty bytes, of which the buffer has twelve: what lies behind is ours, too."""
    records = kernels.ints(RECORD_SIZE)
    records[CAPLEN] = records[ORIGLEN] = 60
    records[LINK_TYPE] = LINKTYPE_ETHERNET
    whole: Any = kernels.view(bytearray(4096))
    octets = Table(whole[:12], whole.address, whole)
    return kernels.decode(octets, records, 1, 1, kernels.ints(PACKET_SIZE), kernels.ints(COUNTS_SIZE))


def test_a_kernel_that_reads_out_of_bounds_is_caught_by_the_check(checked: Kernels, compiled: Kernels) -> None:
    with pytest.raises(IndexError, match="decode went out of bounds"):
        beyond_the_end(checked)
    assert beyond_the_end(compiled) == 0
