"""A browser, and the report of two hundred connections in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from commands import keepalive
from report_page import CROWD


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "crowd.html"
    run = keepalive("report", CROWD, "--utc", "-o", path)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert path.stat().st_mode & 0o777 == 0o600
    return path
