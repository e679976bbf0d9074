"""`keepalive report`: where the page goes, its title, and what it says for a ticket; what a capture says stays text."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from browser import Browser
from commands import as_json, inside, keepalive
from report_page import CROWD, DEAD_PEER, ROOT, rows
from results import recorded

from analyzer.report.incident import write_html, write_markdown
from analyzer.report.incident.gather import incident_page, steps_of
from analyzer.report.incident.markdown import escaped
from analyzer.report.incident.nouns import Page, Row, Rung

OWNED = "<img src=x onerror=document.title='owned'><script>document.title='owned'<\u2215script>"


def test_without_a_name_the_page_is_incident_html_and_nothing_is_overwritten(tmp_path: Path) -> None:
    there = ("env", "--chdir", str(tmp_path))
    first = keepalive("report", DEAD_PEER, prefix=there)
    assert (first.returncode, first.stdout, first.stderr) == (0, b"", b"keepalive: wrote incident.html\n")
    page = (tmp_path / "incident.html").read_bytes()
    again = keepalive("report", DEAD_PEER, "--title", "x", prefix=there)
    assert (again.returncode, again.stderr) == (2, b"keepalive: incident.html exists: name a file with -o\n")
    assert (tmp_path / "incident.html").read_bytes() == page
    out = keepalive("report", DEAD_PEER, "-o", "-", prefix=there)
    assert (out.returncode, out.stdout, out.stderr) == (0, page, b"")


def test_a_title_is_the_heading_and_the_captures_are_still_named(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    inside("report", DEAD_PEER, "--title", "Payments lost <b>", "-o", path)
    chromium.open(path)
    assert chromium.run("return document.title") == "Payments lost <b>"
    assert chromium.run("return document.querySelector('h1').textContent") == "Payments lost <b>"
    assert "dead-peer/capture.pcap" in chromium.run("return document.querySelector('header').textContent")


def test_both_ends_are_compared_in_a_report() -> None:
    found = [ROOT / "captures" / "two-ends" / f"capture.{end}.pcap" for end in ("client", "server")]
    text = inside("report", *found, "--both-ends", "--format", "markdown")
    assert re.search("`keepalive report .* --both-ends`", text)
    assert "lost-between-ends" in text
    assert "lost-between-ends" not in inside("report", *found, "--format", "markdown")


def test_progress_is_shown_while_the_page_is_made() -> None:
    steps: list[None] = []
    incident_page(recorded(CROWD), range(200), "x", step=lambda: steps.append(None))
    assert 0 < len(steps) <= steps_of(200)


def test_the_command_in_the_report_makes_it_again(tmp_path: Path) -> None:
    options = ("--stream", "3", "--host", "192.0.2.10", "--idle-after", "5", "--title", "Monday, 9:31")
    first = inside("report", CROWD, "--format", "markdown", *options)
    made = re.search(r"`(keepalive report .*)`", first)
    assert made is not None
    words = shlex.split(made[1])[1:]
    assert inside(*words, "--format", "markdown") == first


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    run = keepalive("report", DEAD_PEER, "-o", tmp_path / "none" / "report.html")
    assert run.returncode == 4


def test_the_report_of_a_pipe_has_ladders(tmp_path: Path) -> None:
    """Its packets are read twice all the same."""
    path = tmp_path / "report.html"
    assert keepalive("report", "-", "-o", path, stdin=DEAD_PEER.read_bytes()).returncode == 0
    assert "Key segments" in path.read_text()
    assert subprocess.run(["grep", "-c", "<svg", str(path)], capture_output=True, text=True, check=True).stdout.strip()


# -- what a capture says stays text


def hostile(page: Page) -> Page:
    """The same page of somebody who names everything after markup."""
    about = page.about._replace(command=OWNED, title=OWNED)
    bad = Row(0, OWNED, OWNED, "dead_peer", 0, 1, False, 1, (1, 1), OWNED, OWNED, [(OWNED, OWNED)])
    rungs = [Rung(OWNED, OWNED, 0, "lost", OWNED, OWNED), Rung("", "", None, "", OWNED, "")]
    details = [one._replace(row=bad, rungs=rungs) for one in page.details]
    causes = [
        one._replace(
            sentence=OWNED, aside=OWNED, fix=OWNED, more=[OWNED], places=[(OWNED, 1), (OWNED, 2)], filter=OWNED
        )
        for one in page.causes
    ]
    captures = [[(OWNED, OWNED)]]
    hosts = [(OWNED, OWNED, OWNED, OWNED)]
    happenings = [one._replace(ends=OWNED, text=OWNED, frame=OWNED) for one in page.happenings]
    return page._replace(
        about=about, title=OWNED, files=OWNED, span=OWNED, impact=OWNED, first=OWNED, captures=captures, rows=[bad],
        causes=causes, minor=causes, details=details, hosts=hosts, happenings=happenings, events=happenings,
    )  # fmt: skip


def test_what_a_capture_says_stays_text(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    page = hostile(incident_page(recorded(DEAD_PEER), [0], "keepalive report"))
    with path.open("w", encoding="utf-8") as out:
        write_html(page, out)
    chromium.open(path)
    title = chromium.run("return document.title")
    assert title == OWNED
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


def test_the_table_lies_in_its_element_alone() -> None:
    """JSON that cannot end the script that it stands in."""
    page = hostile(incident_page(recorded(DEAD_PEER), [0], "x", charts=False))
    out = io.StringIO()
    write_html(page._replace(rows=[page.details[0].row._replace(client="</script><b>")]), out)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', out.getvalue(), re.DOTALL)
    assert data is not None
    found = json.loads(data[1])
    assert found["rows"][0][1] == "</script><b>"
    assert OWNED in found["texts"]


# -- for a ticket


def test_markdown_says_the_same() -> None:
    text = inside("report", CROWD, "--format", "markdown", "--utc")
    result = as_json(CROWD)
    assert text.startswith("# Incident report: ")
    for finding in result["findings"]:
        assert finding["rule"] in text
    assert "... and 100 more" in text
    assert "- 09:31:00.127 20 connections to 198.51.100.20:7000: closed by the server" in text
    assert re.search(r"^- Wireshark: `tcp\.stream in \{\d.*\}`$", text, re.MULTILINE)
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {6, 9}


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
