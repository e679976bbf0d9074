"""Words that no text for users has: CONTRIBUTING.md says which, and what to write instead."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from plain_words import WORDS
from results import ROOT

from analyzer.manual.topics import topics

PAGES = (
    "README.md",
    "CHANGELOG.md",
    "analyzer/manual/keepalive.1",
    "analyzer/report/incident/page.html",
)
ROOMS = ("advise", "capture", "commands", "crosscheck", "diagnose", "knowledge", "live", "report")
SOURCES = [path for room in ROOMS for path in sorted((ROOT / "analyzer" / room).rglob("*.py"))]


def strings(path: Path) -> Iterator[str]:
    """The texts in a module that may be printed: strings of several words, but for documentation and types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            if " " in node.value.strip():
                yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "analyzer")))
def test_what_is_printed_is_plain(path: Path) -> None:
    assert [text for text in strings(path) if WORDS.search(text)] == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_plain(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if WORDS.search(line)] == []


@pytest.mark.parametrize("name", topics())
def test_topics_are_plain(name: str) -> None:
    assert not WORDS.search(topics()[name].body)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_plain(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    told = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert [text for text in told if WORDS.search(text)] == []


def test_the_words_are_found() -> None:
    """What the others look for, they would see."""
    for text in ("one octet more", "a RST came", "in this folder", "it is told", "all in vain", "gone for good"):
        assert WORDS.search(text)
    for text in ("one byte more", "an RST came", "`+39` stands for 39 more", "the settings do not tell them apart"):
        assert not WORDS.search(text)
