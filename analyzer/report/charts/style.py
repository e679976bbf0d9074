"""The one style of all charts: colours and shapes, text that is only text, and files that are the same every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from analyzer.report.layout import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart whatever cones one has. Shape and hatch say the same again.
BLACK, GREY, PALE = "#000000", "#767676", "#d5d5d5"
BLUE, SKY, GREEN, ORANGE, RED, PURPLE = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7"
LIGHT_GREEN, BROWN = "#a6dccd", "#8a5a00"
WIDTH_IN = 11.0
DPI = 110
TEXT, SMALL = 8.0, 7.0  # points
TITLE = "title"  # marks the title of a chart
FORMATS = ("png", "svg", "pdf")
# Nothing in these that changes from one run to the next.
METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
SETTINGS = {
    "backend": "agg",
    "font.family": ["DejaVu Sans"],  # the one that matplotlib brings along
    "font.size": TEXT,
    "text.parse_math": False,
    "text.usetex": False,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "keepalive",
    "pdf.fonttype": 42,
    "path.simplify": True,
}


class Mark(NamedTuple):
    """How one kind of thing is drawn: its name in the legend, marker, colour, size, and whether it is filled."""

    name: str
    marker: str
    colour: str
    size: float = 5.5
    filled: bool = False
    order: float = 4.0


HANDSHAKE = Mark("handshake", ">", BLUE, 6.0, filled=True)
NEVER_MADE = Mark("SYN, handshake failed", ">", BLUE, 6.0)
ANSWERED = Mark("probe, answered", "o", GREEN, 5.0)
UNANSWERED = Mark("probe, unanswered", "x", RED, 6.0, order=5.0)
RESET_BY = Mark("probe, answered by RST", "D", PURPLE, 10.0)
HEARTBEAT = Mark("heartbeat of the application", "2", PURPLE, 6.0)
WINDOW_PROBE = Mark("zero-window probe", "^", ORANGE, 4.5)
FIN = Mark("FIN", "s", BLACK, 4.5, filled=True, order=5.0)
RST = Mark("RST", "X", BLACK, 8.0, filled=True, order=6.0)


@contextmanager
def styled() -> Iterator[None]:
    """Whatever the user's matplotlibrc says, draw and write figures so within; after it all is as before."""
    import matplotlib

    with matplotlib.rc_context():
        # They have been validated once: that takes as long as drawing.
        dict.update(cast(dict[str, Any], matplotlib.rcParams), _parameters())
        yield


@cache
def _parameters() -> dict[str, Any]:
    """All of matplotlib's parameters, its defaults and ours."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        return dict(cast(dict[str, Any], matplotlib.rcParams))


class Margins(NamedTuple):
    """Inches around the charts of a figure; `between` one and the next in parts of a chart's height."""

    left: float
    right: float
    top: float
    bottom: float
    between: float = 0.0


def new_figure(height_in: float, width_in: float = WIDTH_IN, margins: Margins | None = None) -> Figure:
    """A figure of its own, known to no pyplot; without `margins` they are found as it is drawn, which takes longer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if margins is not None:
        figure = Figure(figsize=(width_in, height_in), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.subplots_adjust(
            left=margins.left / width_in,
            right=1 - margins.right / width_in,
            top=1 - margins.top / height_in,
            bottom=margins.bottom / height_in,
            hspace=margins.between,
        )
        return figure
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(h_pad=0.08, w_pad=0.08)  # type: ignore[call-arg]
    return figure


def write_figure(figure: Figure, out: IO[bytes], form: str, dpi: int = DPI) -> None:
    """Write a figure as one of FORMATS; the same figure gives the same bytes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with styled():
        if form != "svg":
            figure.savefig(out, format=form, metadata=METADATA[form], dpi=dpi)
            return
        # A report has a hundred of these, and savefig draws each twice, to find first where things go.
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        FigureCanvasSVG(figure).print_svg(out, metadata=METADATA[form])  # type: ignore[no-untyped-call]


def clean(text: str) -> str:
    """Text as the font can show it, without what steers terminals or breaks XML."""
    known = _characters()
    return "".join(char if ord(char) in known else "?" for char in printable(text))


@cache
def _characters() -> frozenset[int]:
    """The characters of the font."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=["DejaVu Sans"]))).get_charmap())


def write(axes: Axes, x: float, y: float, text: str, **how: Any) -> Any:
    """Text that is no formula, however many dollar signs are in it; `how` as Axes.text has it."""
    how = {"fontsize": SMALL, "va": "center", **how}
    return axes.text(x, y, clean(text), parse_math=False, **how)


def title(axes: Axes, text: str, below: str = "") -> None:
    """What a chart shows, and in a second line of what."""
    made = axes.set_title(
        clean(text), loc="left", fontsize=10, fontweight="bold", parse_math=False, pad=18 if below else 6
    )
    made.set_gid(TITLE)
    if below:
        place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(clean(below), (0, 1), (0, 6), fontsize=SMALL, color=GREY, va="bottom", parse_math=False, **place)


def retitle(figure: Figure, text: str) -> None:
    """Give the first chart of a figure another title; its second line stays."""
    for made in figure.findobj(lambda one: one.get_gid() == TITLE)[:1]:
        made.set(text=clean(text))


def plot_marks(axes: Axes, mark: Mark, x: Any, y: Any) -> None:
    """One kind of thing at these places; nothing where there are none."""
    if not len(x):
        return
    [drawn] = axes.plot(
        x,
        y,
        linestyle="none",
        marker=mark.marker,
        color=mark.colour,
        markersize=mark.size,
        markerfacecolor=mark.colour if mark.filled else "white",
        markeredgewidth=1.6 if mark.marker == "x" else 0.6 if mark.filled else 1.2,
        markeredgecolor="white" if mark.filled else mark.colour,
        zorder=mark.order,
        label=mark.name,
        clip_on=False,
    )
    drawn.set_in_layout(False)


def bare(axes: Axes) -> None:
    """Frames that carry nothing are left out."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=SMALL)


def end_of_capture(axes: Axes, x: float) -> None:
    """Where what is known ends."""
    axes.axvline(x, color=GREY, linestyle=(0, (1, 1.5)), linewidth=1.2, label="capture ends", zorder=2)


def bounds(axes: Axes, low: float, high: float, hatch: str = "") -> None:
    """Between which heights a setting lies."""
    face = "none" if hatch else GREY
    axes.axhspan(low, high, facecolor=face, edgecolor=GREY, hatch=hatch, linewidth=0, alpha=0.3, zorder=0)


def legend(axes: Axes, columns: int = 6) -> None:
    """What the marks mean, each once, below the axes."""
    handles, names = axes.get_legend_handles_labels()
    each = dict(zip(names, handles, strict=True))
    if not each:
        return
    made = axes.legend(
        list(each.values()),
        list(each),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=_below(axes),
        ncols=columns,
        fontsize=SMALL,
        frameon=False,
        borderaxespad=0,
        handletextpad=0.5,
        columnspacing=1.4,
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def _below(axes: Axes) -> Any:
    """The axes' frame, moved down past tick labels and axis label."""
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    assert figure is not None
    return axes.transAxes + ScaledTranslation(0, -0.48, figure.dpi_scale_trans)


def spread(places: Sequence[float], apart: float, low: float = 0.0, high: float = 1.0) -> list[float]:
    """Where to put labels that belong to these places, so that none is closer to another than `apart`; any order."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [0.0] * len(places)
    at = low - apart
    for i in order:
        at = moved[i] = max(places[i], at + apart)
    ceiling = high
    for i in reversed(order):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - apart
    return moved


def empty(axes: Axes, text: str) -> None:
    """Say that there is nothing to draw, and why."""
    axes.set_axis_off()
    write(axes, 0.5, 0.5, text, transform=axes.transAxes, ha="center", fontsize=TEXT, color=GREY)


def shortened(text: str, width: int) -> str:
    """Text of at most so many characters, cut in the middle: the ends of addresses tell more."""
    if len(text) <= width:
        return text
    tail = width // 2 + 2
    return text[: width - tail - 1] + "…" + text[-tail:]


def name_levels(axes: Axes, levels: Sequence[tuple[float, str, str]]) -> None:
    """Names and colours of horizontal lines, right of the axes, at these parts of its height; moved apart."""
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    assert figure is not None
    line = 1.35 * SMALL / 72 / (figure.get_size_inches()[1] * 0.6)
    beside = axes.transAxes + ScaledTranslation(20 / 72, 0, figure.dpi_scale_trans)
    places = spread([place for place, _, _ in levels], line)
    for (place, name, colour), moved in zip(levels, places, strict=True):
        axes.annotate(
            clean(name),
            (1, place),
            (1, moved),
            xycoords="axes fraction",
            textcoords=beside,
            fontsize=SMALL,
            color=colour,
            va="center",
            parse_math=False,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5),
            },
        )  # fmt: skip
