"""The process that compiles: what it hands over, and that it ends with whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.kernels.engine import compiling
from analyzer.kernels.engine.cache import packed, unpacked
from analyzer.kernels.engine.compiling import Compiler
from analyzer.kernels.engine.machine import Code

ROOT = Path(__file__).parents[2]
CODES = {"decode": Code("symbol", b"one\ntwo \n"), "track": Code("_ZN", b"\0\n"), "merge": Code("empty", b"")}
ENDLESS = "import time; from analyzer.kernels.engine.compiling import _end_with_whoever_asked as end; end()"
MAIN = "from analyzer.kernels.engine import compiling; compiling.compile_kernels = lambda *_: {codes}; compiling.main()"


def test_machine_code_is_handed_over_as_it_is() -> None:
    assert unpacked(packed(CODES)) == CODES


def test_what_the_compiler_has_made_is_taken_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = {name: tuple(code) for name, code in CODES.items()}
    codes = f"{{name: compiling.Code(*code) for name, code in {made!r}.items()}}"
    monkeypatch.setattr(compiling, "PROGRAM", MAIN.format(codes=codes))
    compiler = Compiler()
    assert compiler.codes() == CODES
    assert compiler.done
    compiler.close()


@pytest.mark.parametrize(
    ("program", "reason"),
    [("import os; os._exit(9)", "ended with status 9"), (MAIN.format(codes="1/0"), "ended with status 1")],
)
def test_a_compiler_that_fails(program: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PROGRAM", program)
    compiler = Compiler()
    with pytest.raises(ImportError, match=reason):
        compiler.codes()
    compiler.close()


def test_without_numba_the_compiler_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PROGRAM", f"import sys; sys.modules['numba'] = None; {compiling.PROGRAM}")
    compiler = Compiler()
    with pytest.raises(ImportError, match="numba"):
        compiler.codes()
    compiler.close()


def test_the_compiler_ends_when_it_is_not_needed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PROGRAM", ENDLESS)
    compiler = Compiler()
    assert not compiler.done
    compiler.close()
    assert compiler.done


WAITING = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
from analyzer.kernels.engine import cache, compiling
compiling.PROGRAM = {ENDLESS!r}
import analyzer.cli, analyzer.pipeline.run as run
run.WARM_PACKETS = run.COLD_PACKETS = 0
analyzer.cli.main()
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_who_waits_for_the_compiler_can_be_interrupted(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """Without a traceback, and nothing is left behind, however it ended."""
    variables = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, "analyze", str(ROOT / "captures" / "dead-peer" / "capture.pcap")],
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
