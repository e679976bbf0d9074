"""`keepalive annotate` and `extract`: the same packets, with comments, or those of some connections alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from commands import as_json, inside, keepalive
from results import ROOT, recorded_result
from samples import CAPTURES_OF_EACH_KIND
from wireshark import ALL, fields, packets

CROWD = ROOT / "captures" / "crowd" / "capture.pcap"


def comments(path: Path) -> dict[int, str]:
    """Comments by frame number, as Wireshark reads them."""
    return {int(number): text for number, text in fields(path, ["frame.number", "frame.comment"], ALL) if text}


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """What `annotate` makes of a capture, once."""

    @cache
    def make(path: Path) -> Path:
        out = tmp_path_factory.mktemp("annotated") / "out.pcapng"
        assert inside("annotate", path, "-o", out) == ""
        return out

    return make


@CAPTURES_OF_EACH_KIND
def test_every_packet_is_the_same(capture: Path, annotated: Callable[[Path], Path]) -> None:
    assert packets(annotated(capture)) == packets(capture)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    run = keepalive("annotate", CROWD, "-o", out)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    assert out.stat().st_mode & 0o777 == 0o600


@CAPTURES_OF_EACH_KIND
def test_every_probe_answer_and_evidence_frame_has_a_comment(capture: Path, annotated: Callable[[Path], Path]) -> None:
    said = comments(annotated(capture))
    result = recorded_result(capture)
    expected: set[int] = set()
    for flow in result["flows"]:
        for probe in (p for entry in flow["keepalive"] for e in entry["episodes"] for p in e["probes"]):
            answer = probe["answer_frame"]
            assert "keepalive probe" in said[probe["frame"]]
            assert ("no answer" in said[probe["frame"]]) == (answer is None)
            expected |= {probe["frame"]} | ({answer} if answer is not None else set())
            if answer is not None:
                assert f"frame {probe['frame']}" in said[answer]
    for finding in result["findings"]:
        for frame in finding["evidence"]["frames"]:
            assert finding["rule"] in said[frame]
            expected.add(frame)
    assert expected <= set(said)


def test_comments_are_those_of_the_connections_selected(tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    assert inside("annotate", CROWD, "--stream", "10", "-o", out) == ""
    [flow] = as_json(CROWD, "--stream", "10")["flows"]
    frames = {probe["frame"] for entry in flow["keepalive"] for e in entry["episodes"] for probe in e["probes"]}
    said = comments(out)
    probes = {frame for frame, text in said.items() if "probe" in text and "stream" in text}
    assert probes == frames
    assert packets(out) == packets(CROWD)


def test_a_stream_on_standard_input_is_annotated(tmp_path: Path) -> None:
    """It is read twice all the same."""
    out, same = tmp_path / "out.pcapng", tmp_path / "same.pcapng"
    assert keepalive("annotate", "-", "-o", out, stdin=CROWD.read_bytes()).returncode == 0
    inside("annotate", CROWD, "-o", same)
    assert (comments(out), packets(out)) == (comments(same), packets(same))


@pytest.mark.parametrize(("chosen", "how_many"), [(("--stream", "10"), 1), (("--verdict", "dead_peer"), 40)])
def test_an_extract_shows_the_same_of_its_connections(chosen: tuple[str, ...], how_many: int, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    inside("extract", CROWD, *chosen, "-o", out)
    whole, alone = as_json(CROWD, *chosen), as_json(out)
    assert len(alone["flows"]) == len(whole["flows"]) == how_many
    same = ("client", "server", "start", "end", "packets", "bytes", "verdict", "ending", "state")
    for one, other in zip(alone["flows"], whole["flows"], strict=True):
        assert {name: one[name] for name in same} == {name: other[name] for name in same}


def test_an_extract_keeps_icmp_errors_and_every_octet(tmp_path: Path) -> None:
    path = min((ROOT / "captures" / "link-down").glob("capture.*"))
    out = tmp_path / "out.pcapng"
    inside("extract", path, "--stream", "0", "-o", out)
    [whole], [alone] = as_json(path)["flows"], as_json(out)["flows"]
    assert [entry["icmp"] for entry in alone["keepalive"]] == [entry["icmp"] for entry in whole["keepalive"]]
    assert sum(Decimal(entry["icmp"]) for entry in alone["keepalive"]) > 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("extract", CROWD), 2, "--stream N"),
        (("annotate", "no-such-file"), 3, "cannot be opened"),
        (("extract", CROWD, "--stream", "0", "--host", "no address"), 2, "no address"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str | Path, ...], status: int, says: str, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    run = keepalive(*arguments, "-o", out)
    assert (run.returncode, run.stdout) == (status, b"")
    assert says in run.stderr.decode()
    assert not out.exists()


def test_the_capture_itself_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(CROWD.read_bytes())
    assert keepalive("annotate", path, "-o", path).returncode == 2
    assert path.read_bytes() == CROWD.read_bytes()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    assert keepalive("annotate", CROWD, "-o", tmp_path / "none" / "out.pcapng").returncode == 4
