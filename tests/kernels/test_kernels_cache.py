"""Where the machine code of the kernels is kept, what it is named after, and when it is not trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.kernels import Kernels
from analyzer.kernels.engine import cache
from analyzer.kernels.engine.cache import cache_folder, digest

ROOT = Path(__file__).parents[2]


def test_the_cache_is_named_after_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "analyzer"
    sources = [*(ROOT / "analyzer" / "kernels").rglob("*.py"), *(ROOT / "analyzer" / "tables").glob("*.py")]
    sources += [ROOT / "analyzer" / name for name in ("tcp.py", "wire.py")]
    copies = [package / source.relative_to(ROOT / "analyzer") for source in sources]
    for source, copy in zip(sources, copies, strict=True):
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    monkeypatch.setattr(cache, "PACKAGE", package)
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
    """Both places where a cache may lie, below one empty directory."""
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


def load_from(home: Path) -> subprocess.CompletedProcess[str]:
    """A Python of its own that loads the kernels from this cache, or says that it would compile them."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    script = Path(__file__).parents[1] / "support" / "cache_loads.py"
    return subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("kept", "outcome"), [(1.0, "loaded"), (0.5, "compiles again"), (0.0, "compiles again")])
def test_machine_code_that_a_crash_cut_short_is_compiled_again(
    compiled: Kernels, tmp_path: Path, kept: float, outcome: str
) -> None:
    folder = cache_folder()
    assert folder is not None
    copy = tmp_path / folder.parent.name / folder.name
    shutil.copytree(folder, copy)
    for path in (tmp_path, copy.parent, copy):
        path.chmod(0o700)
    for path in copy.glob("track*.o"):
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    result = load_from(tmp_path)
    assert (result.returncode, result.stdout.strip()) == (0, outcome), result.stderr
