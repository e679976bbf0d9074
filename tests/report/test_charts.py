"""Charts: all of them of everything, labels that can be read, files that are the same every time."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import results
from captures_in_bytes import SECOND, captured, pcap
from commands import inside, keepalive
from frames_in_bytes import ACK, SYN, ethernet, ipv4, tcp
from kept_pictures import COMMANDS, KEPT, make
from pictures import boxes, faults
from results import ROOT
from samples import CAPTURES_OF_EACH_KIND

from analyzer import Analysis, UsageError, analyze
from analyzer.report.charts import style, themes

KINDS = ("timeline", "idle", "intervals", "ladder", "hosts")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def drawn(analysis: Analysis, kind: str, **how: Any) -> Any:
    return getattr(analysis.charts, kind)(**how)


def recording(name: str) -> Path:
    return min((ROOT / "captures" / name).glob("capture.*"))


def recorded(name: str) -> Analysis:
    return results.recorded(recording(name))


def words(figure: Any) -> list[str]:
    return [text for text, _ in boxes(figure)]


@CAPTURES_OF_EACH_KIND
def test_every_chart_of_every_kind_of_capture_is_drawn(capture: Path) -> None:
    for kind in KINDS:
        assert drawn(results.recorded(capture), kind).axes


@EVERY_KIND
@pytest.mark.parametrize("name", ["dead-peer-ipv6", "five-lives", "mid-unanswered-run", "dead-peer-count-1"])
def test_labels_neither_overlap_nor_are_cut_off(kind: str, name: str) -> None:
    assert faults(drawn(recorded(name), kind)) == ([], [])


def test_overlapping_labels_and_cut_ones_are_seen() -> None:
    with style.styled():
        figure = style.new_figure(2)
        axes = figure.subplots()
        for text in ("one upon", "the other"):
            style.write(axes, 0.5, 0.5, text)
        figure.set_layout_engine("none")
        style.write(axes, 0.9, 0.9, "a label that reaches far beyond the right end of the picture")
    overlapping, cut_off = faults(figure)
    assert ("one upon", "the other") in overlapping
    assert len(cut_off) == 1


@pytest.fixture
def empty(tmp_path: Path) -> Analysis:
    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap([]))
    return analyze(str(path), engine="plain")


@EVERY_KIND
def test_an_empty_capture_gives_a_picture_that_says_so(empty: Analysis, kind: str) -> None:
    assert words(drawn(empty, kind)) == ["no TCP connection to show"]


@EVERY_KIND
def test_so_does_a_selection_that_nothing_fits(kind: str) -> None:
    assert words(drawn(recorded("dead-peer"), kind, streams=[])) == ["no TCP connection to show"]


@EVERY_KIND
def test_a_single_packet_is_drawn(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([captured(ethernet(ipv4(tcp(40001, 7000, seq=1, ack=0, flags=SYN))), SECOND)]))
    assert faults(drawn(analyze(str(path), engine="plain"), kind)) == ([], [])


def segment(number: int, by_client: bool, seq: int, ack: int, flags: int = ACK) -> bytes:
    """A frame of one of the many connections."""
    seq, ack = (seq + 1000 * number, ack + 7 * number) if by_client else (seq + 7 * number, ack + 1000 * number)
    client, server = f"10.1.{number >> 8}.{number & 255}", f"10.2.0.{number % 40}"
    if by_client:
        return ethernet(ipv4(tcp(40001, 7000, seq=seq, ack=ack, flags=flags), source=client, destination=server))
    return ethernet(ipv4(tcp(7000, 40001, seq=seq, ack=ack, flags=flags), source=server, destination=client))


@pytest.fixture(scope="module")
def multitude(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Ten thousand connections of forty services, a few of which fall silent."""
    packets = []
    for number in range(10_000):
        at = (1_700_000_000 + number // 5) * SECOND
        packets.append(captured(segment(number, True, 9, 0, SYN), at))
        packets.append(captured(segment(number, False, 5, 10, SYN | ACK), at + 1000))
        packets.append(captured(segment(number, True, 10, 6), at + 2000))
        if number % 100 == 0:
            packets += [captured(segment(number, True, 9, 6), at + wait * SECOND) for wait in (60, 70, 80)]
    path = tmp_path_factory.mktemp("many") / "many.pcap"
    path.write_bytes(pcap(sorted(packets, key=lambda packet: packet.time)))
    return analyze(str(path))


@EVERY_KIND
def test_ten_thousand_connections_are_drawn(multitude: Analysis, kind: str) -> None:
    assert len(multitude) == 10_000
    figure = drawn(multitude, kind, **({"limit": 10} if kind in ("timeline", "hosts") else {}))
    assert faults(figure) == ([], [])
    assert figure.get_size_inches()[1] < 40
    lines = sum(len(axes.lines) + len(axes.patches) + len(axes.texts) for axes in figure.axes)
    assert lines < 2000  # what is drawn does not grow with what there is


def test_very_many_connections_get_an_overview_and_only_those_in_trouble_lanes(multitude: Analysis) -> None:
    said = words(drawn(multitude, "timeline", limit=10))
    assert any(text.startswith("10000 connections of many.pcap") for text in said)
    assert "The 10 connections in the worst state" in said
    assert sum(text == "dead_peer" for text in said) == 10


@EVERY_KIND
def test_names_are_no_formulas(tmp_path: Path, kind: str) -> None:
    name = "cost_$x^2$_\\frac{1}{0}$\x1b[31m\u4e2d.pcap"
    path = tmp_path / name
    path.write_bytes((ROOT / "captures" / "dead-peer" / "capture.pcap").read_bytes())
    figure = drawn(analyze(str(path), engine="plain"), kind)
    assert any("cost_$x^2$_\\frac{1}{0}$\\x1b[31m?.pcap" in text for text in words(figure))
    style.write_figure(figure, io.BytesIO(), "svg")


def test_what_is_said_of_a_capture_is_no_formula_either() -> None:
    from matplotlib.text import Text

    for kind in KINDS:
        texts = drawn(recorded("dead-peer"), kind).findobj(Text)
        assert [text for text in texts if text.get_text() and text.get_parse_math()] == []


@pytest.mark.parametrize(("kind", "form"), list(zip(KINDS, ("svg", "png", "pdf", "svg", "pdf"), strict=True)))
def test_the_same_capture_gives_the_same_file(kind: str, form: str) -> None:
    def octets() -> bytes:
        out = io.BytesIO()
        style.write_figure(drawn(recorded("lost-state"), kind, **({} if kind == "hosts" else {"utc": True})), out, form)
        return out.getvalue()

    first = octets()
    assert first == octets()
    assert first[:4] in (b"\x89PNG", b"<?xm", b"%PDF")


def colours(picture: bytes) -> set[str]:
    """Those of an SVG."""
    return set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", picture.decode()))


@EVERY_KIND
def test_a_dark_chart_has_no_colour_of_a_light_one(kind: str) -> None:
    light, dark = (io.BytesIO() for _ in range(2))
    style.write_figure(drawn(recorded("five-lives"), kind), light, "svg")
    figure = drawn(recorded("five-lives"), kind)
    themes.darken(figure)
    style.write_figure(figure, dark, "svg")
    assert colours(light.getvalue()) <= set(themes.DARK)
    assert colours(dark.getvalue()) <= set(themes.DARK.values())


@EVERY_KIND
def test_a_chart_in_a_page_has_the_colours_of_the_page_and_the_same_words(kind: str) -> None:
    out = io.BytesIO()
    style.write_figure(drawn(recorded("five-lives"), kind, **({} if kind == "hosts" else {"utc": True})), out, "svg")
    svg = out.getvalue().decode()
    inline = themes.inline(svg)
    assert not colours(inline.encode())
    assert set(re.findall(r"var\(--([0-9a-f]{6})\)", inline)) == {one[1:] for one in colours(svg.encode())}
    assert re.findall(r"<text[^>]*>(.*?)</text>", inline) == re.findall(r"<text[^>]*>(.*?)</text>", svg)
    assert len(inline) < len(svg)


def test_charts_take_a_title_a_theme_and_a_resolution(tmp_path: Path) -> None:
    capture = str(recording("dead-peer"))

    def chart(name: str, *options: str) -> bytes:
        inside("chart", capture, "--kind", "idle", "-o", tmp_path / name, *options)
        return (tmp_path / name).read_bytes()

    title = "Outage $x^2$ of <b>"
    assert "Outage $x^2$ of &lt;b&gt;" in chart("title.svg", "--title", title).decode()
    assert "Idle timer of the client" not in chart("title.svg", "--title", title).decode()
    assert "stream 0 of dead-peer" in chart("title.svg", "--title", title).decode()
    both = chart("auto.svg", "--theme", "auto").decode()
    assert "prefers-color-scheme:dark" in both and not colours(both.encode())
    small, large = (
        PIL.Image.open(io.BytesIO(chart("small.png", "--dpi", dpi, "--theme", "dark"))) for dpi in ("50", "100")
    )
    assert large.width == 2 * small.width
    assert small.convert("RGB").getpixel((0, 0)) == tuple(bytes.fromhex(themes.DARK[themes.PAPER][1:]))


def test_only_an_svg_follows_its_reader(tmp_path: Path) -> None:
    run = keepalive("chart", recording("dead-peer"), "--kind", "idle", "--theme", "auto", "-o", tmp_path / "a.png")
    assert (run.returncode, (tmp_path / "a.png").exists()) == (2, False)
    assert b"only an .svg follows the reader's theme" in run.stderr


def test_svg_keeps_text_as_text() -> None:
    out = io.BytesIO()
    style.write_figure(drawn(recorded("dead-peer"), "ladder", utc=True), out, "svg")
    text = out.getvalue().decode()
    for said in ("keepalive probe 4: no reply", "198.51.100.20:7000", "RST ACK  seq 181"):
        assert said in text
    assert not re.search(r"<dc:date>", text)


def test_charts_leave_matplotlib_as_they_found_it() -> None:
    import matplotlib

    matplotlib.rcParams["font.size"] = 23.0
    try:
        before = dict(matplotlib.rcParams)
        figure = drawn(recorded("dead-peer"), "timeline")
        assert dict(matplotlib.rcParams) == before
        sizes = {text.get_fontsize() for axes in figure.axes for text in axes.texts}
        assert max(sizes) < 12
    finally:
        matplotlib.rcdefaults()
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("name", COMMANDS)
def test_pictures_are_as_those_that_were_looked_at(tmp_path: Path, name: str) -> None:
    make(name, tmp_path / name)
    assert difference(KEPT / name, tmp_path / name) is None, "look at python tests/support/kept_pictures.py --write"


def test_a_picture_of_something_else_is_told_apart(tmp_path: Path) -> None:
    figure = drawn(recorded("lossy"), "idle", utc=True)
    with (tmp_path / "idle.png").open("wb") as out:
        style.write_figure(figure, out, "png")
    assert difference(KEPT / "idle.png", tmp_path / "idle.png") is not None


def difference(kept: Path, made: Path) -> object:
    """What matplotlib says of two pictures that differ by more than their text's edges; else None."""
    from matplotlib.testing.compare import compare_images

    return compare_images(str(kept), str(made), tol=2.0)


def test_the_pictures_of_the_readme_are_there_and_small() -> None:
    shown = re.findall(r"!\[.+?\]\((.+?)\)", (ROOT / "README.md").read_text())
    assert shown
    assert [path for path in shown if (ROOT / path).stat().st_size >= 150_000] == []


def test_without_the_packets_a_ladder_is_refused_and_the_rest_is_drawn() -> None:
    analysis = analyze(str(recording("dead-peer")), engine="plain")
    analysis.again = None
    with pytest.raises(UsageError, match="packets"):
        analysis.charts.ladder()
    for kind in ("timeline", "idle", "intervals", "hosts"):
        assert drawn(analysis, kind).axes
