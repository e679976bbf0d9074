"""The kernels: their arithmetic, their tables, how they are compiled, and where the machine code is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiled_kernels import dispatchers

from analyzer import kernels
from analyzer.capture import open_capture
from analyzer.decode import Decoder
from analyzer.kernels import ENTRY_POINTS, KERNELS, Kernels, cache_folder, digest, plain
from analyzer.kernels.arithmetic import seq_diff
from analyzer.tcp import EVENTS, NEXT_STATE, TRANSITIONS, Event, State
from analyzer.track import Tracker

ROOT = Path(__file__).parent.parent
CAPTURES = sorted((ROOT / "captures").glob("*/capture.pcap"))[:6]


def track_capture(path: Path, kernels: Kernels) -> Tracker:
    """One capture through the rooms that call kernels."""
    reader, decoder, tracker = open_capture(str(path), kernels), Decoder(kernels), Tracker(kernels)
    for records in reader.batches():
        tracker.feed(decoder.feed(records))
    return tracker


@pytest.mark.parametrize("half", [2, 8, 32])
def test_seq_diff_is_the_shortest_way_round(half: int) -> None:
    modulus = 2 * half
    for a in range(modulus):
        for b in range(modulus):
            distance = seq_diff(a, b, half)
            assert -half <= distance < half
            assert (b + distance) % modulus == a


@pytest.mark.parametrize("half", [4, 16])
def test_seq_diff_changes_its_sign_with_the_direction(half: int) -> None:
    for a in range(2 * half):
        for b in range(2 * half):
            if seq_diff(a, b, half) != -half:  # exactly opposite: both ways are as long
                assert seq_diff(a, b, half) == -seq_diff(b, a, half)


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
    made = pytest.importorskip("numba").njit(seq_diff)
    edges = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]
    assert [[made(a, b) for a in edges] for b in edges] == [[seq_diff(a, b) for a in edges] for b in edges]


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


def test_every_entry_point_is_compiled_for_the_signature_of_its_annotations(compiled: Kernels) -> None:
    numba = pytest.importorskip("numba")
    for name in Kernels._fields[1:]:
        assert getattr(compiled, name).signatures == [kernels.signature(numba, KERNELS[name])], name


def test_no_kernel_has_a_second_signature_after_use(compiled: Kernels) -> None:
    for path in CAPTURES[:3]:
        track_capture(path, compiled)
    made = dispatchers(compiled)
    assert set(made) == set(KERNELS)
    for name, dispatcher in made.items():
        assert len(dispatcher.signatures) <= 1, f"{name}: {dispatcher.signatures}"


# -- the cache of machine code


def test_the_cache_is_named_after_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "analyzer"
    sources = [*(ROOT / "analyzer" / "kernels").glob("*.py")]
    sources += [ROOT / "analyzer" / name for name in ("tcp.py", "wire.py", "layout.py")]
    (package / "kernels").mkdir(parents=True)
    copies = [package / source.relative_to(ROOT / "analyzer") for source in sources]
    for source, copy in zip(sources, copies, strict=True):
        copy.write_bytes(source.read_bytes())
    monkeypatch.setattr(kernels, "__file__", str(package / "kernels" / "__init__.py"))
    digests = [digest()]
    for copy in copies:
        copy.write_text(copy.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
        digests.append(digest())
    assert len(set(digests)) == len(digests)


def test_the_cache_is_named_after_bounds_checking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    unchecked = digest()
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert digest() != unchecked


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both places where a cache may lie, below one empty folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    return tmp_path


def test_the_cache_lies_in_the_users_cache_directory(cache_home: Path) -> None:
    folder = cache_folder()
    assert folder is not None
    assert folder.is_relative_to(cache_home / "home")
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX permissions")
@pytest.mark.parametrize("which", ["folder", "parent"])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_cache_that_others_can_write_to_is_passed_over(cache_home: Path, mode: int, which: str) -> None:
    trusted = cache_folder()
    assert trusted is not None
    (trusted if which == "folder" else trusted.parent).chmod(mode)
    second = cache_folder()
    assert second is not None and second.is_relative_to(cache_home / "temporary")
    (second if which == "folder" else second.parent).chmod(mode)
    assert cache_folder() is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX permissions")
def test_a_cache_that_is_a_link_to_elsewhere_is_passed_over(cache_home: Path) -> None:
    trusted = cache_folder()
    assert trusted is not None
    elsewhere = cache_home / "elsewhere"
    trusted.rename(elsewhere)
    trusted.symlink_to(elsewhere)
    second = cache_folder()
    assert second is None or second.is_relative_to(cache_home / "temporary")


# -- bounds


def run(script: str, *arguments: str, bounds_check: str) -> subprocess.CompletedProcess[str]:
    """A script in a Python of its own."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": bounds_check, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(Path(__file__).parent / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_compiled_kernels_stay_within_bounds_and_agree_with_the_plain_ones() -> None:
    result = run("bounds_agree.py", *map(str, CAPTURES), bounds_check="1")
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["agree"] * len(CAPTURES)


@pytest.mark.parametrize(("bounds_check", "status"), [("1", 1), ("0", 0)])
def test_a_kernel_that_reads_out_of_bounds_is_caught_by_the_check_alone(bounds_check: str, status: int) -> None:
    result = run("bounds_overrun.py", bounds_check=bounds_check)
    assert result.returncode == status, result.stderr
    assert ("IndexError" in result.stderr) == (bounds_check == "1")
