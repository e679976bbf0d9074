"""The notebooks run from a clean kernel, with the public interface alone, and show what they tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from notebooks import NOTEBOOKS, executed, kept, shown

SAID = {
    "dead_database_peer": ("1 dead_peer", "tcp_keepalive_time 5.0", "RST client KEEPALIVE_EXHAUSTED", "Fix: "),
    "load_balancer_forgets": (
        "1 middlebox_reset",
        "middlebox-idle-timeout",
        "keepalive-at-two-hour-default",
        "healthy",
    ),
    "fleet": ("forgetful-devices", "198.51.100.20", "app-08", "2026-03-02 00:02:29"),
    "close_wait_leak": ("1 close_wait_leak", "CLOSE-WAIT", "half_closed", "Fix: "),
}
MOST = 400_000  # bytes: they are kept in the repository


def test_every_notebook_is_told_of() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SAID)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# The kernel is another process on the loopback; what its client warns of is not ours.
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_runs_and_shows_what_it_kept(path: Path) -> None:
    book, before = executed(path), kept(path)
    counts = [cell.execution_count for cell in before.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert shown(book) == shown(before)
    for words in SAID[path.stem]:
        assert words in shown(book)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_has_pictures_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < MOST
    assert text.count('"image/png"') >= 2
    assert not any(word in text for word in ("/home/", "/root", "/tmp", "/Users/", "/work/"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_uses_the_public_interface_alone(path: Path) -> None:
    code = "\n".join(cell.source for cell in kept(path).cells if cell.cell_type == "code")
    assert "import analyzer" in code
    assert "analyzer._" not in code
    assert "from analyzer" not in code
