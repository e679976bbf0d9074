"""What an Analysis gives to those who call it from Python: tables, JSON, a report, a summary for notebooks."""

from __future__ import annotations

import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import inside
from results import EVERY_CAPTURE, ROOT

import analyzer
from analyzer.report.arrow import TABLES

CROWD, DEAD_PEER = (str(ROOT / "captures" / name / "capture.pcap") for name in ("crowd", "dead-peer"))


@pytest.fixture(scope="module")
def crowd() -> analyzer.Analysis:
    return analyzer.analyze(CROWD)


def test_the_tables_are_those_of_parquet(crowd: analyzer.Analysis, tmp_path: Path) -> None:
    inside("analyze", CROWD, "--format", "parquet", "-o", tmp_path / "out")
    for name in TABLES:
        assert getattr(crowd.tables, name).equals(pq.read_table(tmp_path / "out" / f"{name}.parquet"))


def test_pandas_takes_the_tables(crowd: analyzer.Analysis) -> None:
    flows, probes = crowd.tables.flows.to_pandas(), crowd.tables.probes.to_pandas()
    assert flows["verdict"].value_counts().to_dict() == crowd.verdict_counts(list(range(len(crowd))))
    assert (flows["end"] - flows["start"]).max().total_seconds() > 10
    unanswered = probes[probes["kind"] == "keepalive"]["answer_frame"].isna().sum()
    assert unanswered == (flows["unanswered_client"] + flows["unanswered_server"]).sum() > 0


@EVERY_CAPTURE
def test_to_json_is_what_is_printed(capture: Path) -> None:
    assert analyzer.analyze(str(capture)).to_json() == inside("analyze", capture, "--format", "json")


def test_a_report_is_a_page_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "incident.html"
    analyzer.analyze(DEAD_PEER).report(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == inside("report", DEAD_PEER, "-o", "-")


def test_a_report_that_cannot_be_written_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(analyzer.UsageError, match="No such file"):
        analyzer.analyze(DEAD_PEER).report(str(tmp_path / "no" / "incident.html"))


class Tags(HTMLParser):
    """The names of a page's elements, and any attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert attributes == []
        self.open.append(tag)
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_notebook_is_shown_a_summary(crowd: analyzer.Analysis) -> None:
    text = crowd._repr_html_()
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.names == {"p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    for verdict, count in crowd.verdict_counts(list(range(len(crowd)))).items():
        assert f"{count} {verdict}" in text
    assert text.count("<tr>") == 11
    assert re.search(r"<li>HIGH keepalive-exhausted-but-alive \(stream \d+\): ", text)


def test_a_summary_escapes_what_it_is_told() -> None:
    analysis = analyzer.analyze(DEAD_PEER)
    (finding,) = analysis.findings
    analysis.findings = [finding._replace(summary="<script>alert(1)</script> & more")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in analysis._repr_html_()


def test_flows_are_a_sequence(crowd: analyzer.Analysis) -> None:
    assert len(crowd.flows) == len(crowd) == len(list(crowd.flows))
    assert crowd.flows[3].stream == 3
    assert crowd.flows[-1].stream == len(crowd) - 1
    assert [flow.stream for flow in crowd.flows[2:8:3]] == [2, 5]
    with pytest.raises(IndexError):
        crowd.flows[len(crowd)]


def test_an_analysis_says_what_it_is(crowd: analyzer.Analysis) -> None:
    assert repr(crowd).startswith("<Analysis of ")
    assert "40 dead_peer" in repr(crowd)


def test_captures_may_be_paths_or_lists_of_them() -> None:
    path = Path(DEAD_PEER)
    assert analyzer.analyze([path]).verdicts == analyzer.analyze(path).verdicts == analyzer.analyze(str(path)).verdicts
    with pytest.raises(analyzer.UsageError):
        analyzer.analyze([])
