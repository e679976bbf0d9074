"""The table of an incident report as a browser shows it."""

from __future__ import annotations

import json
from pathlib import Path

from browser import Browser

ROOT = Path(__file__).parents[2]
CROWD = ROOT / "captures" / "crowd" / "capture.pcap"
DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"


def rows(chromium: Browser) -> list[list[str]]:
    """The cells of the table as they are shown."""
    script = "return [...document.querySelectorAll('#table tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    found: list[list[str]] = chromium.run(script)
    return found


def press(chromium: Browser, heading: str) -> None:
    chromium.run(f"[...document.querySelectorAll('#table th button')].find(b => b.textContent === {heading!r}).click()")


def search(chromium: Browser, text: str) -> str:
    """Type into the filter; what is said of how many there are."""
    said: str = chromium.run(
        f"const f = document.getElementById('filter'); f.value = {json.dumps(text)}; "
        "f.dispatchEvent(new Event('input')); return document.getElementById('count').textContent"
    )
    return said
