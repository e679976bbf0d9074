"""The process that compiles: what it hands over, and that it ends with whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.kernels import Kernels
from analyzer.kernels.engine import building, compiling
from analyzer.kernels.engine.building import build
from analyzer.kernels.engine.cache import LIBRARY, stored
from analyzer.kernels.engine.compiling import Compiler
from analyzer.kernels.engine.registry import ENTRY_POINTS

ROOT = Path(__file__).parents[2]
ENDLESS = "from analyzer.kernels.engine.compiling import _end_with_whoever_asked as end; end()"
# A compiler that copies what is there, and one that fails.
COPYING = """
import shutil
from analyzer.kernels.engine import compiling
compiling.build = lambda target: shutil.copy({library!r}, target)
compiling.main()
"""


@pytest.fixture
def copying(compiled: Kernels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache that is empty, and a compiler that has done its work before."""
    library = stored()
    monkeypatch.setattr(compiling, "PROGRAM", COPYING.format(library=str(library)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_the_compiler_has_made_is_taken_over_and_kept(copying: Path) -> None:
    compiler = Compiler()
    made = compiler.kernels()
    assert compiler.done
    compiler.close()
    assert list(made) == list(ENTRY_POINTS)
    library = stored()
    assert library is not None and library in copying.rglob(LIBRARY)


def test_what_is_made_elsewhere_than_on_linux_is_loaded_from_a_copy(
    copying: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "memfd_create", raising=False)
    compiler = Compiler()
    assert list(compiler.kernels()) == list(ENTRY_POINTS)
    compiler.close()


def test_where_nothing_can_be_kept_it_is_taken_over_all_the_same(
    copying: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = (
        f"from analyzer.kernels.engine import compiling; compiling.cache_folder = lambda: None; {compiling.PROGRAM}"
    )
    monkeypatch.setattr(compiling, "PROGRAM", nowhere)
    compiler = Compiler()
    assert list(compiler.kernels()) == list(ENTRY_POINTS)
    compiler.close()
    assert stored() is None


FAILING = "from analyzer.kernels.engine import compiling; compiling.build = lambda target: {how}; compiling.main()"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os; os._exit(9)", "ended with status 9"),
        (FAILING.format(how="1/0"), "ended with status 1"),
        (FAILING.format(how="target.write_text('no library')"), "cannot be loaded"),
    ],
)
def test_a_compiler_that_fails(program: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiling, "PROGRAM", program)
    compiler = Compiler()
    with pytest.raises(ImportError, match=reason):
        compiler.kernels()
    compiler.close()


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert building.compiler() is None
    compiler = Compiler()
    with pytest.raises(ImportError, match="there is no C compiler"):
        compiler.kernels()
    compiler.close()


def test_the_compiler_that_cc_names_comes_first_and_ziglang_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CC", f"{sys.executable} -m")
    assert building.compiler() == [sys.executable, "-m"]
    monkeypatch.setenv("CC", "no-such-compiler")
    assert building.compiler() != ["no-such-compiler"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(building, "find_spec", lambda name: name == "ziglang")
    assert building.compiler() == [sys.executable, "-m", "ziglang", "cc"]


def test_what_the_compiler_says_against_it_is_told_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ImportError, match="no-such-option"):
        build(tmp_path / LIBRARY, "--no-such-option")
    assert list(tmp_path.iterdir()) == []


def test_the_compiler_ends_when_it_is_not_needed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PROGRAM", ENDLESS)
    compiler = Compiler()
    assert not compiler.done
    compiler.close()
    assert compiler.done


WAITING = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
from analyzer.kernels.engine import compiling
compiling.PROGRAM = {ENDLESS!r}
import sys, analyzer
try:
    analyzer.analyze(sys.argv[1], engine="compiled", notify=lambda text: print(text, file=sys.stderr, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_who_waits_for_the_compiler_can_be_interrupted(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """Without a traceback, and nothing is left behind, however it ended."""
    variables = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(ROOT / "captures" / "dead-peer" / "capture.pcap")],
        env=variables,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert b"compiling" in process.stderr.readline()
        time.sleep(0.3)  # the note comes before the compiler
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(number)
        assert process.wait(timeout=5) == status
        assert process.stderr.read() == b""
        process.stderr.close()
        deadline = time.monotonic() + 5
        while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
