"""The page of an incident report wherever it is read: narrow and wide, light and dark, and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import Browser
from commands import inside
from report_page import rows, search
from selenium.webdriver.support.ui import WebDriverWait
from soak import Soak

PAINTS = "return performance.getEntriesByType('paint').map(e => e.startTime)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_page(width: int, scheme: str, chromium: Browser, crowd: Path) -> None:
    chromium.resize(width)
    chromium.prefer(scheme)
    try:
        chromium.open(crowd)
        chromium.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert chromium.run("return document.documentElement.scrollWidth") <= width
        beyond = (
            "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .chart, .skip')"
            " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
        )
        assert chromium.run(beyond) == []
        sizes = chromium.run(
            "return [...document.querySelectorAll('.chart svg')].map(e => e.getBoundingClientRect().width)"
        )
        assert min(sizes) >= 700  # letters that can be read; its box scrolls
        fill = "return getComputedStyle(document.querySelector('.chart svg {}')).fill"
        ground, ink = (chromium.run(fill.format(name)) for name in ("path", "text"))
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        assert (ink == "rgb(0, 0, 0)") == (scheme == "light")
    finally:
        chromium.resize(1200)
        chromium.prefer("light")


def test_the_end_of_each_connection_is_seen_at_1280_pixels(chromium: Browser, crowd: Path) -> None:
    chromium.resize(1280)
    try:
        chromium.open(crowd)
        chromium.run("document.getElementById('connections').open = true")
        box = chromium.run(
            "const b = document.querySelector('#connections .scroll'); return [b.scrollWidth, b.clientWidth]"
        )
        assert box[0] <= box[1]
        assert re.fullmatch(r"09:30:5\d\.\d{3}", rows(chromium)[0][4])  # the date is in the heading
    finally:
        chromium.resize(1200)


def test_a_chart_is_enlarged_in_its_own_box(chromium: Browser, crowd: Path) -> None:
    chromium.open(crowd)
    width = "return document.querySelector('#summary .chart svg').getBoundingClientRect().width"
    before = chromium.run(width)
    chromium.run("document.querySelector('#summary .enlarge').click()")
    assert chromium.run(width) > 1.5 * before
    assert chromium.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "height"), [(8.27, 11.69), (8.5, 11)], ids=["A4", "Letter"])
def test_it_prints_light_on_numbered_pages(width: float, height: float, chromium: Browser, crowd: Path) -> None:
    chromium.prefer("dark")
    try:
        chromium.open(crowd)
        printed = chromium.printed(width, height)
        pages = len(re.findall(rb"/Type\s*/Page\b", printed))
        assert 1 <= pages <= 4  # what is folded stays on the screen
        chromium.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert len(re.findall(rb"/Type\s*/Page\b", chromium.printed(width, height))) > pages + 5
    finally:
        chromium.prefer("light")


def test_ten_thousand_connections(chromium: Browser, tmp_path: Path) -> None:
    """A page that is small enough to send and soon to be seen; how long it takes is the benchmark's to say."""
    capture, page = tmp_path / "capture.pcap", tmp_path / "report.html"
    many = Soak(seconds=500, short_each=19, long=500, dying=40)
    capture.write_bytes(b"".join(many.octets()))
    inside("report", capture, "-o", page)
    assert page.stat().st_size < 3_000_000
    chromium.open(page)
    WebDriverWait(chromium.driver, 10).until(lambda _: chromium.run(PAINTS))  # it is painted after it is loaded
    assert max(chromium.run(PAINTS)) < 2000
    assert search(chromium, "dead_peer") == "40 of 10000 connections"
    assert len(rows(chromium)) == 40
    search(chromium, "")
    assert len(rows(chromium)) == 200  # the others when they are asked for
    chromium.run("document.getElementById('more').click()")
    assert len(rows(chromium)) == 400
