"""`keepalive report`: what the page says first, and what it says of each connection, in a real browser."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path

import pytest
from browser import Browser
from commands import as_json, inside
from report_page import CROWD, DEAD_PEER, ROOT, press, rows, search
from results import recorded
from samples import CAPTURES_OF_EACH_VERDICT

from analyzer.diagnose import VERDICTS
from analyzer.report.incident.story import RANGES, stream_filter


def test_nothing_leaves_the_page_and_nothing_goes_wrong_in_it(chromium: Browser, crowd: Path) -> None:
    chromium.asked_for()
    chromium.open(crowd)
    press(chromium, "Packets")
    search(chromium, "dead")
    asked = [url for url in chromium.asked_for() if not url.startswith("data:")]
    assert asked == [crowd.as_uri()]
    assert chromium.complaints() == []


def test_the_table_sorts_and_filters(chromium: Browser, crowd: Path) -> None:
    flows = as_json(CROWD)["flows"]
    chromium.open(crowd)
    assert len(rows(chromium)) == len(flows) == 200
    urgent = {verdict.word: verdict.severity for verdict in VERDICTS}
    assert urgent[rows(chromium)[0][3]] == "high"  # the worst first
    press(chromium, "#")
    assert [int(row[0]) for row in rows(chromium)] == list(range(200))
    press(chromium, "#")
    assert [int(row[0]) for row in rows(chromium)] == list(reversed(range(200)))
    press(chromium, "Packets")
    counts = [int(row[6]) for row in rows(chromium)]
    assert counts == sorted(counts)
    assert chromium.run("return document.querySelector('#table th[aria-sort]').textContent") == "Packets"
    assert search(chromium, "dead_peer") == "40 of 200 connections"
    assert {row[3] for row in rows(chromium)} == {"dead_peer"}
    assert search(chromium, ":40011") == "1 of 200 connections"
    assert search(chromium, "nowhere to be found") == "0 of 200 connections"
    search(chromium, "")
    chromium.run(
        "const v = document.getElementById('verdict'); v.value = 'aborted'; v.dispatchEvent(new Event('change'))"
    )
    assert {row[3] for row in rows(chromium)} == {"aborted"}


def test_a_line_of_the_table_opens_what_is_known(chromium: Browser, crowd: Path) -> None:
    chromium.open(crowd)
    whole = {row[0]: row for row in rows(chromium)}
    parts = chromium.run("return [...document.querySelectorAll('#details > details')].map(d => d.id)")
    assert len(parts) == 12
    other = next(stream for stream in whole if f"stream-{stream}" not in parts)
    assert not chromium.run("return document.getElementById('details').open")
    for stream in (parts[5].removeprefix("stream-"), other):
        chromium.run(f"document.querySelector('#table a[data-stream=\"{stream}\"]').click()")
        opened = chromium.run("return document.activeElement.closest('details').open")
        said = chromium.run("return document.activeElement.closest('details').textContent")
        assert opened
        assert chromium.run("return document.getElementById('details').open")
        assert f"#{stream} {whole[stream][1]}" in said


def test_it_can_be_read_by_a_machine_for_those_who_do_not_see(chromium: Browser, crowd: Path) -> None:
    """Each picture has words, each control a name, headings no gaps, and the keyboard reaches what can be pressed."""
    chromium.open(crowd)
    assert chromium.run("return document.documentElement.lang") == "en"
    assert chromium.run("return [...document.querySelectorAll('[role=img]')].every(e => e.getAttribute('aria-label'))")
    assert chromium.run("return [...document.querySelectorAll('input, select')].every(e => e.labels.length === 1)")
    levels = chromium.run("return [...document.querySelectorAll('h1, h2, h3, h4')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert chromium.run("return document.querySelectorAll('th button').length") == 10
    ids = chromium.run("return [...document.querySelectorAll('main [id]')].map(e => e.id)")
    sections = [one for one in ids if one.startswith(("stream-", "h-"))]
    assert len(sections) == len(set(sections))


def test_what_the_page_says_is_what_the_result_says(chromium: Browser, crowd: Path) -> None:
    result = as_json(CROWD)
    chromium.open(crowd)
    text = chromium.run("return document.body.textContent")
    for finding in result["findings"]:
        assert finding["rule"] in text
        assert finding["remedy"] in re.sub(r"\s+Fix\s+", " ", text) or finding["remedy"].split(". ")[0] in text
    for verdict in {flow["verdict"] for flow in result["flows"]}:
        count = sum(flow["verdict"] == verdict for flow in result["flows"])
        assert re.search(rf"\b{count} {verdict}\b", text)
    assert "keepalive report" in text and "crowd" in text
    assert "40 connections to 198.51.100.20:7100: reset by the client: its keepalive was exhausted" in text


@CAPTURES_OF_EACH_VERDICT
def test_every_kind_of_capture_has_a_page(capture: Path, chromium: Browser, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert inside("report", capture, "-o", out) == ""
    chromium.asked_for()
    chromium.open(out)
    assert [url for url in chromium.asked_for() if not url.startswith("data:")] == [out.as_uri()]
    assert chromium.complaints() == []
    assert len(rows(chromium)) == len(recorded(capture))


def test_a_capture_without_connections_has_a_page(chromium: Browser, tmp_path: Path) -> None:
    capture, out = tmp_path / "empty.pcap", tmp_path / "report.html"
    capture.write_bytes(DEAD_PEER.read_bytes()[:24])
    inside("report", capture, "-o", out)
    chromium.open(out)
    assert "The capture holds no TCP connection." in chromium.run("return document.body.textContent")
    assert chromium.complaints() == []


def test_the_summary_says_what_happened_in_a_few_sentences(chromium: Browser, crowd: Path) -> None:
    chromium.open(crowd)
    summary = chromium.run("return document.getElementById('summary').innerText")
    assert "50 of 200 connections have a serious problem, 45 a lesser or possible problem, 105" in summary
    assert "40 of 200 connections to 198.51.100.20:7100" in summary
    assert "Do first:" in summary
    assert not [meaning for meaning in recorded(CROWD).meanings.values() if meaning in summary]
    bullets = chromium.run("return document.querySelectorAll('#summary li, #causes > article').length")
    assert 5 < bullets <= 12
    folded = chromium.run("return [...document.querySelectorAll('main > details')].filter(d => !d.open).length")
    assert folded >= 6


def test_a_cause_of_many_has_a_filter_for_all_of_its_connections(chromium: Browser, crowd: Path) -> None:
    result = as_json(CROWD)
    leaking = next(one for one in result["findings"] if one["rule"] == "close-wait-leak")
    chromium.open(crowd)
    filters = chromium.run("return [...document.querySelectorAll('#causes [data-copy]')].map(b => b.dataset.copy)")
    assert stream_filter(leaking["streams"])[0] in filters
    rows_of_table = chromium.run("return [...document.querySelectorAll('#table .copy')].map(b => b.dataset.copy)")
    assert set(rows_of_table) == {f"tcp.stream == {stream}" for stream in range(200)}


@pytest.mark.parametrize(
    ("streams", "says"),
    [([4], "tcp.stream == 4"), ([1, 4, 5, 6], "tcp.stream in {1, 4..6}"), ([0, 1, 9], "tcp.stream in {0..1, 9}")],
)
def test_a_filter_is_as_short_as_it_can_be(streams: list[int], says: str) -> None:
    assert stream_filter(streams) == (says, len(streams))


def test_a_filter_says_for_how_many_it_is() -> None:
    says, count = stream_filter(range(0, 1000, 2))
    assert (count, len(re.findall(r"\d+", says))) == (RANGES, RANGES)
    assert stream_filter(()) == ("", 0)


def test_what_other_settings_would_have_done_is_a_part() -> None:
    text = inside("report", CROWD, "--format", "markdown")
    advice = inside("advise", CROWD)
    assert "## What other keepalive settings would have done" in text
    for line in advice.splitlines():
        if re.match(r"(settings|as seen|\d+/\d+/\d+) ", line):
            assert f"    {line}" in text
    healthy = inside(
        "report", ROOT / "captures" / "answered-keepalives-with-data" / "capture.pcap", "--format", "markdown"
    )
    assert "other keepalive settings" not in healthy


def test_the_closes_that_led_to_leaks_are_told_with_frames(chromium: Browser, crowd: Path) -> None:
    chromium.open(crowd)
    lines = chromium.run(
        "return [...document.querySelectorAll('#when tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    closes = [line for line in lines if line[1].startswith("closed by the server; the client does not close")]
    assert closes and all(line[-1] for line in closes)
    assert all(line[-1] for line in lines if line[1] in ("opened", "last packet from the server"))


def test_what_compares_one_with_itself_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    inside("report", DEAD_PEER, "-o", path)
    text = path.read_text()
    assert "Idle timer" in text
    assert "Hosts side by side" not in text and "Between probes" not in text
    assert ">Local (" not in text


def test_utc_has_a_column_of_its_own_only_where_local_time_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium: Browser
) -> None:
    path = tmp_path / "one.html"
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    try:
        inside("report", DEAD_PEER, "-o", path)
    finally:
        monkeypatch.undo()
        time.tzset()
    chromium.open(path)
    headings = chromium.run("return [...document.querySelectorAll('#when th')].map(h => h.textContent)")
    assert headings[:2] == ["2026-11-24, XYZ", "UTC"]
    shown, utc = chromium.run(
        "return [...document.querySelector('#when tbody tr').cells].slice(0, 2).map(c => c.textContent)"
    )
    assert (shown[:5], utc[:5]) == ("15:00", "09:30")
    assert rows(chromium)[0][4] == shown
