"""`keepalive report`: what the page says, in a real browser; and the same for a ticket."""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, browser
from commands import as_json, inside, keepalive
from results import ROOT, recorded
from samples import CAPTURES_OF_EACH_VERDICT
from soak import Soak

from analyzer.diagnose import VERDICTS
from analyzer.report.incident import write_html, write_markdown
from analyzer.report.incident.gather import incident_page
from analyzer.report.incident.markdown import escaped
from analyzer.report.incident.page import Page, Row

CROWD = ROOT / "captures" / "crowd" / "capture.pcap"
DEAD_PEER = ROOT / "captures" / "dead-peer" / "capture.pcap"
OWNED = "<img src=x onerror=document.title='owned'><script>document.title='owned'<\u2215script>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "crowd.html"
    run = keepalive("report", CROWD, "--utc", "-o", path)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert path.stat().st_mode & 0o777 == 0o600
    return path


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
    assert len(parts) == 30
    other = next(stream for stream in whole if f"stream-{stream}" not in parts)
    for stream in (parts[5].removeprefix("stream-"), other):
        chromium.run(f"document.querySelector('#table a[data-stream=\"{stream}\"]').click()")
        opened = chromium.run("return document.activeElement.closest('details').open")
        said = chromium.run("return document.activeElement.closest('details').textContent")
        assert opened
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
    for verdict in {flow["verdict"] for flow in result["flows"]}:
        count = sum(flow["verdict"] == verdict for flow in result["flows"])
        assert re.search(rf"\b{count} (of 200 connections: )?{verdict}\b", text)
    assert "keepalive report" in text and "crowd" in text
    assert "38 connections to 198.51.100.20:7100" in text  # when they lost their peer, in one line


def hostile(page: Page) -> Page:
    """The same page of somebody who names everything after markup."""
    about = page.about._replace(command=OWNED)
    bad = Row(0, OWNED, OWNED, "dead_peer", 0, 1.0, 1, 1, OWNED, OWNED, [(OWNED, OWNED)])
    details = [one._replace(row=bad, meaning=OWNED) for one in page.details]
    captures = [[(OWNED, OWNED)]]
    hosts = [(OWNED, OWNED, OWNED, OWNED)]
    happenings = [one._replace(ends=OWNED, text=OWNED, frame=OWNED) for one in page.happenings]
    return page._replace(
        about=about, title=OWNED, span=OWNED, summary=[("high", OWNED)], captures=captures, rows=[bad],
        details=details, hosts=hosts, happenings=happenings,
    )  # fmt: skip


def test_what_a_capture_says_stays_text(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    page = hostile(incident_page(recorded(DEAD_PEER), [0], "keepalive report"))
    with path.open("w", encoding="utf-8") as out:
        write_html(page, out)
    chromium.open(path)
    title = chromium.run("return document.title")
    assert title == f"Incident report: {OWNED}"
    assert chromium.run("return document.querySelectorAll('img, iframe, object').length") == 0
    assert chromium.run("return document.scripts.length") == 2
    assert rows(chromium)[0][1] == OWNED
    chromium.run("document.querySelector('#table tbody tr').click()")
    assert chromium.run("return document.title") == title
    assert chromium.complaints() == []


def test_a_capture_with_a_hostile_name(chromium: Browser, tmp_path: Path) -> None:
    capture = tmp_path / OWNED.replace("/", "")
    capture.write_bytes(DEAD_PEER.read_bytes())
    path = tmp_path / "report.html"
    inside("report", capture, "-o", path)
    chromium.open(path)
    assert "owned'>" in chromium.run("return document.title")
    assert chromium.run("return document.querySelectorAll('img').length") == 0
    assert chromium.complaints() == []


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
    assert "There is no TCP connection" in chromium.run("return document.body.textContent")
    assert chromium.complaints() == []


def test_the_table_lies_in_its_element_alone() -> None:
    """JSON that cannot end the script that it stands in."""
    page = hostile(incident_page(recorded(DEAD_PEER), [0], "x", charts=False))
    out = io.StringIO()
    write_html(page._replace(rows=[page.details[0].row._replace(client="</script><b>")]), out)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', out.getvalue(), re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["rows"][0][1] == "</script><b>"


# -- for a ticket


def test_markdown_says_the_same() -> None:
    text = inside("report", CROWD, "--format", "markdown", "--utc")
    result = as_json(CROWD)
    assert text.startswith("# Incident report: ")
    for finding in result["findings"]:
        assert finding["rule"] in text
    assert "... and 100 more" in text
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {7, 9}


def test_markdown_of_hostile_names_stays_text() -> None:
    page = hostile(incident_page(recorded(DEAD_PEER), [0], "x", charts=False))
    out = io.StringIO()
    write_markdown(page, out)
    for line in out.getvalue().splitlines():
        assert not re.search(r"(?<!\\)<", re.sub(r"`+[^`]*`+", "", line)), line


@pytest.mark.parametrize(
    ("text", "says"),
    [("a|b", r"a\|b"), ("`x`", r"\`x\`"), ("\x1b[2J\n# x", r"\\x1b\[2J\\n# x"), ("[a](b)", r"\[a\](b)")],
)
def test_markdown_is_escaped(text: str, says: str) -> None:
    assert escaped(text) == says


def test_the_command_in_the_report_makes_it_again(tmp_path: Path) -> None:
    first = inside(
        "report", CROWD, "--format", "markdown", "--stream", "3", "--host", "192.0.2.10", "--idle-after", "5"
    )
    made = re.search(r"`(keepalive report .*)`", first)
    assert made is not None
    words = [word.strip("'") for word in made[1].split()[1:]]
    assert inside(*words, "--format", "markdown") == first


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    run = keepalive("report", DEAD_PEER, "-o", tmp_path / "none" / "report.html")
    assert run.returncode == 4


def test_the_report_of_a_pipe_has_ladders(tmp_path: Path) -> None:
    """Its packets are read twice all the same."""
    path = tmp_path / "report.html"
    assert keepalive("report", "-", "-o", path, stdin=DEAD_PEER.read_bytes()).returncode == 0
    assert "Decisive moments" in path.read_text()
    assert subprocess.run(["grep", "-c", "<svg", str(path)], capture_output=True, text=True, check=True).stdout.strip()


def test_ten_thousand_connections(chromium: Browser, tmp_path: Path) -> None:
    """A page that is small enough to send and soon to be seen; how long it takes is the benchmark's to say."""
    capture, page = tmp_path / "capture.pcap", tmp_path / "report.html"
    many = Soak(seconds=500, short_each=19, long=500, dying=40)
    capture.write_bytes(b"".join(many.octets()))
    inside("report", capture, "-o", page)
    assert page.stat().st_size < 10_000_000
    chromium.open(page)
    paints = chromium.run("return performance.getEntriesByType('paint').map(e => e.startTime)")
    assert max(paints) < 2000
    assert search(chromium, "dead_peer") == "40 of 10000 connections"
    assert len(rows(chromium)) == 40
    search(chromium, "")
    assert len(rows(chromium)) == 200  # the others when they are asked for
    chromium.run("document.getElementById('more').click()")
    assert len(rows(chromium)) == 400
