"""Where the machine code of the kernels may be kept, and that the program runs where it may be nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analyzer.kernels.engine import cache


def test_a_folder_that_cannot_be_made_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "_cache_bases", lambda: [tmp_path / "file" / "below", tmp_path / "cache"])
    folder = cache.cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "cache"


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
    assert next(cache._cache_bases()) == Path(base) / "tcp-keepalive-analyzer"
