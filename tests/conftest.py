"""Settings that all tests share."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from listed import TESTS, seconds_of_files
from results import kernels_of
from samples import LONG

from analyzer.kernels import Kernels

if TYPE_CHECKING:
    from browser import Browser

pytest.register_assert_rewrite("observe")

# The same examples every time, so that a red run means a change; the long form goes looking for more.
settings.register_profile("short", derandomize=True, deadline=None, max_examples=120)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile("long" if LONG else "short")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: so several workers end at the same time."""
    seconds = seconds_of_files()
    items.sort(key=lambda item: -seconds.get(item.path.relative_to(TESTS).as_posix(), math.inf))


@pytest.fixture(scope="session")
def compiled() -> Kernels:
    """The kernels as machine code."""
    return kernels_of("compiled")


@pytest.fixture
def in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time half an hour off any whole one."""
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    from browser import browser

    with browser() as one:
        yield one


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two hundred connections."""
    from commands import keepalive
    from report_page import CROWD

    path = tmp_path_factory.mktemp("report") / "crowd.html"
    run = keepalive("report", CROWD, "--utc", "-o", path)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert path.stat().st_mode & 0o777 == 0o600
    return path
