"""The incident report: what is in it (`nouns`, `page`), and how it is written (`html`, `markdown`)."""

from __future__ import annotations

from analyzer.report.incident.html import write_html
from analyzer.report.incident.markdown import write_markdown
from analyzer.report.incident.nouns import About, Page, Picture
from analyzer.report.incident.page import compose

__all__ = ["About", "Page", "Picture", "compose", "write_html", "write_markdown"]
