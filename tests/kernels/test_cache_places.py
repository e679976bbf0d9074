"""Where the machine code of the kernels may be kept, and that the program runs where it may be nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analyzer.kernels.engine import cache
from analyzer.kernels.engine.machine import Code

CODES = {"decode": Code("symbol", b"octets")}


def refuse(*arguments: object, **how: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_nothing_is_kept_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    assert cache.cache_folder() is None


def test_a_folder_that_cannot_be_made_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "_cache_bases", lambda: [tmp_path / "file" / "below", tmp_path / "cache"])
    folder = cache.cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "cache"


def test_what_could_not_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store(None, CODES)
    monkeypatch.setattr(Path, "replace", refuse)
    cache.store(tmp_path, CODES)
    assert not {"decode.o", "decode.symbol"} & {path.name for path in tmp_path.iterdir()}
    monkeypatch.undo()
    cache.store(tmp_path, CODES)
    assert {"decode.o", "decode.symbol"} <= {path.name for path in tmp_path.iterdir()}
    assert not cache.is_complete(tmp_path)  # the other kernels are missing


@pytest.mark.parametrize(
    ("system", "variables", "base"),
    [
        ("linux", {"XDG_CACHE_HOME": "/var/here"}, "/var/here"),
        ("linux", {"HOME": "/there"}, "/there/.cache"),
        ("darwin", {"HOME": "/there"}, "/there/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
    ],
)
def test_each_system_has_its_place_for_caches(
    system: str, variables: dict[str, str], base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)
    assert cache._cache_bases()[0] == Path(base) / "tcp-keepalive-analyzer"
