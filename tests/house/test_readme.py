"""The README shows what the program prints."""

from __future__ import annotations

from readme_output import BLOCK, README, renewed


def test_the_readme_shows_real_output() -> None:
    text = README.read_text()
    assert len(BLOCK.findall(text)) >= 3
    assert renewed(text) == text, "renew it with: python tests/support/readme_output.py --write"
