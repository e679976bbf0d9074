"""The incident report as one HTML file that asks for nothing from anywhere.

What a capture holds is text that an attacker may have chosen: the template escapes it, scripts put it into the page as
text alone, and the page's own policy lets run only the script that it was written with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from typing import TextIO

from analyzer.report.charts.themes import variables
from analyzer.report.incident.nouns import Page, Row
from analyzer.report.incident.page import places_line, verdicts_line

ROWS_AT_ONCE = 500


def write_html(page: Page, out: TextIO) -> None:
    """Write it; the table's rows are made as they are written."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    light, dark = variables()
    style = _part("page.css").replace("--light: 0;", light).replace("--dark: 0;", dark)
    script = _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.from_string(_part("page.html"))
    stream = template.stream(
        page=page,
        about=page.about,
        connections=sum(page.about.counts.values()),
        style=Markup(style),
        script=Markup(script),
        digest=digest,
        data=_data(page),
        svg=lambda picture: Markup(picture.svg),
        verdicts=verdicts_line(page.about),
        places=places_line,
    )
    stream.enable_buffering(64)
    out.writelines(stream)


def _part(name: str) -> str:
    return (files("analyzer.report.incident") / name).read_text(encoding="utf-8")


def _data(page: Page) -> Iterator[object]:
    """The table as JSON, which cannot end the element that it is in.

    Texts of a row, which are those of many others, are numbers of a list that follows the rows.
    """
    from markupsafe import Markup

    base = min((one.row.start for one in page.details), default=0)
    head = {"severities": dict(page.about.severities), "base": base, "date": page.date}
    yield Markup(_json(head)[:-1] + ',"rows":[')
    texts: dict[str, int] = {}
    rows, separator = iter(page.rows), ""
    while some := [_encoded(row, base, texts) for row in islice(rows, ROWS_AT_ONCE)]:
        yield Markup(separator + _json(some)[1:-1].replace("],[", "],\n["))
        separator = ",\n"
    yield Markup(f'],"texts":{_json(list(texts))}}}')


def _encoded(row: Row, base: int, texts: dict[str, int]) -> list[object]:
    shared = [row.server, row.verdict, row.probes, row.ending, *(text for pair in row.details for text in pair)]
    numbers = [texts.setdefault(text, len(texts)) for text in shared]
    lasted = -row.lasted - 1 if row.open else row.lasted
    return [row.stream, row.client, row.start - base, lasted, row.packets, *row.sent, *numbers]


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
