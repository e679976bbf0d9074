"""The result as text: the answer first, a cause once, rows folded, one screen, and no line wider than the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed
from results import CAPTURES, recorded
from samples import CAPTURES_OF_EACH_KIND

from analyzer import Analysis
from analyzer.report.causes import causes, first_sentence
from analyzer.report.connections import Rest, Row, folded
from analyzer.report.layout import Layout, Shrink, Table, paragraph
from analyzer.report.text import write_text

CROWD = next(path for path in CAPTURES if path.parent.name == "crowd")
WIDTHS = (60, 80, 100, 140)


def text_of(analysis: Analysis, *, width: int | None = None, lines: int | None = 40, full: bool = False) -> str:
    """What `analyze` prints, without colour."""
    out = io.StringIO()
    layout = Layout(width, True, lambda text, colour: text, lines=lines, full=full)
    write_text(analysis, range(len(analysis)), analysis.findings, analysis.hosts(), layout, out)
    return out.getvalue()


def dead(port: int, service: int = 5432) -> Conversation:
    """A peer that leaves four probes unanswered, and is given up."""
    talk = Conversation(ports=(port, service)).handshake().data(CLIENT, 100)
    return talk.idle(15).probes(CLIENT, 4, every=5, answered=False).rst(CLIENT)


@CAPTURES_OF_EACH_KIND
def test_no_line_is_wider_than_the_terminal(capture: Path) -> None:
    for width in WIDTHS:
        for full in (False, True):
            for line in text_of(recorded(capture), width=width, full=full).splitlines():
                assert len(line) <= width, (width, line)


@CAPTURES_OF_EACH_KIND
def test_a_result_is_one_screen_with_a_row_of_each_verdict(capture: Path) -> None:
    analysis = recorded(capture)
    for width in (100, None):
        text = text_of(analysis, width=width)
        assert text.count("\n") <= 40, text
        table = text[text.index("\n #" if "\n #" in text else "\n#") :] if len(analysis) else ""
        assert all(f" {verdict} " in table for verdict in set(analysis.verdicts))


@CAPTURES_OF_EACH_KIND
def test_elsewhere_every_connection_is_a_row_when_all_are_asked_for(capture: Path) -> None:
    analysis = recorded(capture)
    if not len(analysis):
        return
    table = text_of(analysis, lines=None).split("  client  ")[1].split("\n\n")[0]
    assert table.count("\n") >= len(analysis)


def test_so_many_rows_as_are_asked_for() -> None:
    for lines in (200, 1000):
        assert " more  client" not in text_of(recorded(CROWD), lines=lines)
    for lines in (40, 199):
        assert " more  client" in text_of(recorded(CROWD), lines=lines)


def test_the_answer_comes_first_and_says_what_to_do() -> None:
    first, *_, last = text_of(recorded(CROWD)).split("\n\n")[0].replace("\n  ", " ").splitlines()
    assert "40 of 200 connections" in first
    assert "198.51.100.20:7100" in first
    assert first.endswith(" (likely; RSTs 09:31:07 to 09:31:08 UTC).")
    assert last.startswith("Do first: ")


def test_one_cause_is_told_once_across_servers() -> None:
    analysis = analyzed(*(dead(40_000 + number, 7000 + number) for number in range(5)))
    (cause,) = [one for one in causes(analysis.findings) if one.rule == "dead-peer"]
    assert cause.streams == (0, 1, 2, 3, 4)
    assert [place.connections for place in cause.places] == [1] * 5
    assert cause.sentence(5).startswith("5 servers (198.51.100.20:7000, 198.51.100.20:7001, ...) sent no reply")
    assert "all 5 connections" in cause.sentence(5)
    assert "5 of 9 connections" in cause.sentence(9)
    assert text_of(analysis).count("HIGH dead-peer") == 1


def test_a_cause_is_no_surer_than_its_findings() -> None:
    analysis = analyzed(*(dead(40_000 + number) for number in range(3)))
    findings = [one for one in analysis.findings if one.rule == "dead-peer"]
    assert causes(findings)[0].confidence == "certain"
    findings[1] = findings[1]._replace(confidence="possible")
    assert causes(findings)[0].confidence == "2 certain, 1 possible"


def test_when_nothing_is_wrong_that_is_the_answer() -> None:
    talk = Conversation().handshake().data(CLIENT, 100).idle(15).probes(CLIENT, 3, every=15).fin(CLIENT)
    text = text_of(analyzed(talk))
    assert text.startswith("No problem found in 1 connection")


def test_trouble_that_no_finding_names_is_in_the_answer() -> None:
    lossy = Conversation().handshake().data(CLIENT, 100).idle(15).probes(CLIENT, 2, every=5, answered=False)
    analysis = analyzed(
        lossy.probe(CLIENT).idle(5), Conversation(ports=(40_001, 5432)).handshake().fin(CLIENT).fin(SERVER)
    )
    assert analysis.verdicts[0] == "lossy_path"
    assert text_of(analysis).startswith("1 of 2 connections is lossy_path: some probes got no reply")


def test_rows_alike_are_folded_and_the_rest_is_counted() -> None:
    analysis = recorded(CROWD)
    rows = list(folded(analysis, np.arange(len(analysis)), 7, 40))
    assert sum(row.more + 1 if isinstance(row, Row) else row.connections for row in rows) == len(analysis)
    rows = list(folded(analysis, np.arange(len(analysis)), 7, 2))
    assert len([row for row in rows if isinstance(row, Row)]) == 2
    assert isinstance(rows[-1], Rest)
    assert str(rows[-1]) == "... and 150 more"
    assert sum(row.more + 1 if isinstance(row, Row) else row.connections for row in rows) == len(analysis)


def test_columns_give_way_in_their_order() -> None:
    table = Table(("a", "b", "c"), [("x" * 10, "y" * 10, "z" * 10)], frozenset({"a"}))
    steps = [Shrink("c", 0), Shrink("a", 5)]
    assert table.fitted(None, steps) == table.fitted(34, steps)
    assert [len(row) for row in table.fitted(33, steps)] == [2, 2]
    assert [[len(cell) for cell in row] for row in table.fitted(21, steps)] == [[5, 10], [5, 10]]
    assert table.fitted(21, steps)[1][0] == "xx…xx"


@pytest.mark.parametrize(("text", "lines"), [("a 30 closed", ["a", "30 closed"]), ("word " * 3, ["word word", "word"])])
def test_a_number_stays_with_what_it_counts(text: str, lines: list[str]) -> None:
    assert paragraph(text, 10) == lines


def test_the_first_sentence_of_a_remedy_is_the_fix() -> None:
    assert first_sentence("Do this. Then, on Linux, that.") == "Do this."
    assert first_sentence("Set keepalive to 60 s, 10 s and 3 probes") == "Set keepalive to 60 s, 10 s and 3 probes."
