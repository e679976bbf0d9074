"""Where the machine code of the kernels is kept, what it is named after, and when it is not trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyzer.kernels import ready
from analyzer.kernels.engine import cache
from analyzer.kernels.engine.building import build
from analyzer.kernels.engine.cache import cache_folder, digest
from analyzer.kernels.engine.library import load

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


def test_what_was_installed_with_the_program_comes_first(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.stored() is None
    folder = cache_folder()
    assert folder is not None
    (folder / cache.LIBRARY).touch()
    assert cache.stored() == folder / cache.LIBRARY
    shipped = cache_home / cache.LIBRARY
    shipped.touch()
    monkeypatch.setattr(cache, "SHIPPED", shipped)
    assert cache.stored() == shipped


@pytest.mark.parametrize("content", [b"", b"\x7fELF and no more"])
def test_what_cannot_be_loaded_is_as_good_as_not_there(cache_home: Path, content: bytes) -> None:
    folder = cache_folder()
    assert folder is not None
    (folder / cache.LIBRARY).write_bytes(content)
    assert ready() is None


def test_a_library_that_lacks_a_kernel_is_not_used(tmp_path: Path) -> None:
    build(tmp_path / cache.LIBRARY, entry_points=["rehash"])
    assert list(load(str(tmp_path / cache.LIBRARY), ["rehash"])) == ["rehash"]
    with pytest.raises(OSError, match="track"):
        load(str(tmp_path / cache.LIBRARY), ["rehash", "track"])
