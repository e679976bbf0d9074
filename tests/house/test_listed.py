"""tests/README.md names every test file once, and every module that helps them."""

from __future__ import annotations

import re

from listed import README, ROW, TESTS


def test_every_test_file_has_its_line() -> None:
    listed = [name for name, _ in ROW.findall(README.read_text(encoding="utf-8"))]
    assert listed == sorted(path.relative_to(TESTS).as_posix() for path in TESTS.glob("*/test_*.py"))


def test_every_helper_is_named() -> None:
    named = set(re.findall(r"`(\w+\.py)`", README.read_text(encoding="utf-8")))
    assert {path.name for path in [*TESTS.glob("*.py"), *TESTS.glob("support/*.py")]} - named == set()
