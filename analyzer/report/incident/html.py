"""The incident report as one HTML file that asks for nothing from anywhere.

What a capture holds is text that an attacker may have chosen: the template escapes it, scripts put it into the page as
text alone, and the page's own policy lets run only the script that it was written with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import TextIO

from analyzer.report.incident.page import Page, Row


def write_html(page: Page, out: TextIO) -> None:
    """Write it; the table's rows are written one by one."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style, script = _part("page.css"), _part("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.from_string(_part("page.html"))
    stream = template.stream(
        page=page,
        about=page.about,
        style=Markup(style),
        script=Markup(script),
        digest=digest,
        data=_data(page),
        svg=lambda picture: Markup(bare_svg(picture.svg)),
    )
    stream.enable_buffering(64)
    out.writelines(stream)


def _part(name: str) -> str:
    return (files("analyzer.report.incident") / name).read_text(encoding="utf-8")


def _data(page: Page) -> Iterator[object]:
    """The table as JSON, which cannot end the element that it stands in."""
    from markupsafe import Markup

    yield Markup(f'{{"severities": {_json(dict(page.about.severities))}, "rows": [')
    yield from (Markup(piece) for piece in _joined(page.rows))
    yield Markup("]}")


def _joined(rows: Iterable[Row]) -> Iterator[str]:
    separator = "\n"
    for row in rows:
        yield separator + _json(list(row))
        separator = ",\n"


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def bare_svg(svg: str) -> str:
    """The element itself, for a page: without the XML declaration and document type that a file begins with."""
    return svg[svg.index("<svg") :].strip()
