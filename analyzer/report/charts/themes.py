"""Charts in light and dark: the same shapes, other colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from analyzer.report.charts import style

if TYPE_CHECKING:
    from analyzer.report.charts.style import Figure

PAPER = "#ffffff"
THEMES = ("light", "dark", "auto")
# Each colour of a light chart, and what it is on a dark ground: as far from it, and as easy to tell from the others.
DARK = {
    style.BLACK: "#e6e9ed", PAPER: "#15181c", style.GREY: "#9aa5b1", style.PALE: "#454d57", "#ececec": "#2a3037",
    "#f1f1f1": "#262b31", style.BLUE: "#6cb8ee", style.SKY: "#3f87b8", style.GREEN: "#3ccfa0", style.ORANGE: "#f2b632",
    style.RED: "#ff8a4c", style.PURPLE: "#e59cc6", style.LIGHT_GREEN: "#2f6f5e", style.BROWN: "#dcae55",
}  # fmt: skip
COLOUR = re.compile(r"(fill|stroke): #([0-9a-f]{6})\b")
# What a page need not hold: who made it, names of groups, the font in each text, more than tenths of a point.
METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
NEEDLESS = re.compile(
    r' id="(?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick|legend|title|\w+Collection)[\w.]*"'
    r"|; font-family: 'DejaVu Sans'"
)
PLACES = re.compile(r' (?:d|x|y|transform)="[^"]*"')
FRACTION = re.compile(r"(?<=\.\d)\d+")
# Artists have these colours, each with a method of its own to read and to set it.
COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def darken(figure: Figure) -> None:
    """Give all that is drawn its colour on a dark ground."""
    from matplotlib.text import Annotation, Text

    artists: list[Any] = list(figure.findobj())
    for text in [one for one in artists if isinstance(one, Text)]:
        artists += [text.get_bbox_patch(), text.arrow_patch if isinstance(text, Annotation) else None]
    for axes in figure.axes:
        axes.tick_params(colors=DARK[style.BLACK], which="both")
    for artist in {id(one): one for one in artists if one is not None}.values():
        # Both are read before either is set: `color` of what has a face sets that, too.
        names = [name for name in COLOURED if hasattr(artist, f"get_{name}")]
        names = [name for name in names if name != "color" or "facecolor" not in names]
        values = {name: _darker(getattr(artist, f"get_{name}")()) for name in names}
        for name, value in values.items():
            if value is not None:
                getattr(artist, f"set_{name}")(value)


def _darker(colour: Any) -> Any:
    """A colour, or an array of them, on a dark ground, as clear as before; None where it stays."""
    from matplotlib.colors import to_hex, to_rgba, to_rgba_array

    if isinstance(colour, str) and colour in ("none", "auto", "inherit"):
        return None
    some = to_rgba_array(colour)
    made = [to_rgba(DARK[to_hex(one)], one[3]) if to_hex(one) in DARK else None for one in some]
    if not made or None in made:
        return None
    return made[0] if len(made) == 1 else made


def following(svg: str) -> str:
    """A file of its own that is light or dark as its reader likes."""
    light, dark = variables()
    ink = f"fill:var(--{style.BLACK[1:]})"  # of what matplotlib leaves black by saying nothing
    rules = f"svg{{{light}{ink}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
    start = svg.index(">", svg.index("<svg")) + 1
    return f"{svg[:start]}\n <style>{rules}</style>{_with_variables(svg[start:])}"


def inline(svg: str) -> str:
    """The element for a page that has `variables`, and says which font: small, and dark where the page is."""
    bare = METADATA.sub("", svg[svg.index("<svg") :]).strip()
    bare = PLACES.sub(lambda found: FRACTION.sub("", found[0]).replace(" \n", ""), NEEDLESS.sub("", bare))
    return _with_variables(re.sub(r"\n *", "", bare))


def variables() -> tuple[str, str]:
    """The colours that a page has to say for charts in it, in light and in dark."""
    light = "".join(f"--{colour[1:]}:{colour};" for colour in DARK)
    dark = "".join(f"--{colour[1:]}:{other};" for colour, other in DARK.items())
    return light, dark


def _with_variables(svg: str) -> str:
    return COLOUR.sub(lambda found: f"{found[1]}:var(--{found[2]})" if f"#{found[2]}" in DARK else found[0], svg)
