"""Public captures: what a careful reader found in them, and what tshark counts, is what the analyzer finds.

The captures are not part of this repository. `KEEPALIVE_CORPUS` names their directory; without it they are looked for
beside the checkout. `oracle/` there holds tshark's counts, `notes/verdicts.json` the reader's verdict on every frame
that tshark calls a keepalive or that it missed.
"""

from __future__ import annotations

import functools
import io
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
from plain_words import faults, opposed

from analyzer import analyze
from analyzer.errors import CaptureError
from analyzer.model.findings import Finding
from analyzer.model.words import ProbeKind
from analyzer.report.json import write_json
from analyzer.tables.fields import ANSWER_FRAME, PROBE_FRAME

BESIDE_THE_CHECKOUT = Path(__file__).parents[3] / "shared" / "corpus"
CORPUS = Path(os.environ.get("KEEPALIVE_CORPUS") or BESIDE_THE_CHECKOUT)
ORACLE = CORPUS / "oracle"
if not ORACLE.is_dir():
    pytest.skip(
        f"the corpus of public captures is absent: {CORPUS} (KEEPALIVE_CORPUS names its directory)",
        allow_module_level=True,
    )

TIME_LIMIT_S = 20.0
LAB = "AlexeyVasilev+PcapFlowLab/"
SURICATA = "OISF+suricata-verify/tests/"
GOPACKET = "google+gopacket/pcapgo/tests/le/"
NDPI = "ntop+nDPI/tests/cfgs/default/pcap/"
PCAPPP = "seladb+PcapPlusPlus/Tests/"
LIBPCAP = "the-tcpdump-group+libpcap/tests/"
TCPDUMP = "the-tcpdump-group+tcpdump/tests/"

# Captures that are refused, each with a part of what is said of it.
REFUSED = {
    LIBPCAP + "pcapng-invalid-vers-1.pcapng": "pcapng version 0.1",
    LIBPCAP + "pcapng-invalid-vers-2.pcapng": "pcapng version 1.1",
}


class Counts(NamedTuple):
    """Packets, TCP segments and connections."""

    packets: int
    segments: int
    connections: int


# Captures whose counts differ from tshark's: the right ones, and why.
OTHER_COUNTS = {
    LAB + "examples/showcase/pcap_flow_lab_showcase.pcap": (
        Counts(1557, 1125, 29),
        "frame 1327 has Ethernet (02 00 00 00 51 02) behind its labels, without a control word",
    ),
    LAB + "tests/data/parsing/geneve/06_geneve_invalid_version.pcap": (
        Counts(1, 0, 0),
        "frame 1 is GENEVE of version 1 (40 00 65 58), which RFC 8926 3.4 has dropped",
    ),
    SURICATA + "filestore-5408/input.pcap": (
        Counts(133, 125, 7),
        "frames 87 and 116 are sFlow, whose samples quote segments of connections elsewhere",
    ),
    SURICATA + "firewall/tcp-session-decode-malformed-ipv4/input.pcap": (
        Counts(11, 11, 1),
        "frame 8 has a security option of 2 bytes (82 02) in its IP header, which Linux takes and tshark does not",
    ),
    SURICATA + "transform-base64-7296/input.pcap": (
        Counts(59, 57, 5),
        "frames 11 and 59: the IP header says 52 bytes (00 34), of which the headers alone would take 80",
    ),
    SURICATA + "bug-6875-01/fuzz.pcap": (
        Counts(1, 0, 0),
        "record 2 claims 1,409,179,648 bytes (00 54 fe 53); tshark tries the longer records of modified pcap",
    ),
    PCAPPP + "Fuzzers/RegressionTests/regression_samples/crash-exception-cast-constructed-record": (
        Counts(2, 1, 1),
        "record 3 claims 167,776,960 bytes; tshark tries the longer records of modified pcap and loses record 2",
    ),
    NDPI + "fuzz-2006-06-26-2594.pcap": (
        Counts(691, 50, 23),
        "in frame 86 the IP header claims 8 bytes of the TCP header, whose rest is too short to be one",
    ),
    NDPI + "fuzz-2006-09-29-28586.pcap": (
        Counts(131, 114, 36),
        "the TCP headers of frames 27, 80 and 111 are longer than their packets",
    ),
    GOPACKET + "test901.pcapng": (
        Counts(2, 0, 0),
        "the second section is of version 2.0 (02 00 00 00 at byte 492) and passed over; tshark stops there",
    ),
    TCPDUMP + "frf16_magic_ie-oobr.pcap": (Counts(1, 0, 0), "tshark stops at the link type of frame 1 (182)"),
    TCPDUMP + "hoobr_juniper3.pcap": (Counts(1, 0, 0), "tshark stops at the link type of frame 1 (132)"),
}
MOST_DIFFERENCES = 15

# Where the reader took another frame for the answer. 4247 is a FIN that crossed the probe; 4277 has its byte as DSACK.
OTHER_ANSWERS = {(PCAPPP + "ExamplesTest/pcap_examples/many-protocols.pcap", 4245): 4277}


# Probes that the reader does not name, all of confidence `possible`: 805 is alone in its connection, an unpushed zero
# byte just as frame 66 of raw_ip.pcap, which the reader calls a probe.
ALSO_PROBES = {("blitz+tcptrace/input/all.snoop.gz", 805)}


class Told(NamedTuple):
    """One finding, and the connections that it is about."""

    rule: str
    severity: str
    confidence: str
    summary: str
    streams: tuple[int, ...]


class Seen(NamedTuple):
    """What the analyzer made of one capture."""

    refusal: str | None
    packets: int = 0
    segments: int = 0
    duplicates: int = 0
    connections: tuple[tuple[str, str, int], ...] = ()  # client, server, packets
    keepalives: tuple[tuple[int, int], ...] = ()  # the frame, and that of the answer or 0
    window_probes: tuple[int, ...] = ()
    in_episodes: tuple[tuple[int, int], ...] = ()
    findings: tuple[Told, ...] = ()
    faults: tuple[str, ...] = ()  # in the words of these, and between them


def load(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


NAMES = sorted(path.relative_to(ORACLE).as_posix().removesuffix(".json") for path in ORACLE.rglob("*.json"))
READ = [name for name in NAMES if name not in REFUSED]
VERDICTS: dict[str, list[dict[str, Any]]] = load(CORPUS / "notes" / "verdicts.json")["files"]


@contextmanager
def time_limit() -> Iterator[None]:
    """Fails what hangs, where the system can interrupt it."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {TIME_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@functools.cache
def seen(name: str) -> Seen:
    """What the analyzer makes of a capture, to the last line that it would print."""
    with time_limit():
        try:
            analysis = analyze(str(CORPUS / name), engine="plain")
        except CaptureError as error:
            return Seen(str(error))
        flows = list(analysis.flows)
        write_json(analysis, flows, analysis.findings, analysis.hosts(), io.StringIO())
    facts, [capture] = analysis.facts, analysis.captures
    probes = facts.tracks.probes[:, [PROBE_FRAME, ANSWER_FRAME]]
    return Seen(
        None,
        capture.packets,
        capture.tcp_packets,
        capture.duplicates,
        tuple((str(flow.client), str(flow.server), sum(flow.packets)) for flow in flows),
        tuple(sorted(map(tuple, probes[facts.probe_kind == ProbeKind.KEEPALIVE].tolist()))),
        tuple(sorted(probes[facts.probe_kind == ProbeKind.ZERO_WINDOW, 0].tolist())),
        tuple(
            sorted(
                (probe.frame, probe.answer_frame or 0)
                for flow in flows
                for keepalive in flow.keepalive
                for episode in keepalive.episodes
                for probe in episode.probes
            )
        ),
        tuple(
            Told(
                one.rule,
                one.severity,
                one.confidence,
                one.summary,
                tuple(one.streams) if one.stream is None else (one.stream,),
            )
            for one in analysis.findings
        ),
        _faults(analysis.findings),
    )


def _faults(findings: list[Finding]) -> tuple[str, ...]:
    """What a reader would stumble over."""
    pairs = [f"opposed: {one.remedy} / {other.remedy}" for one, other in opposed(findings)]
    return (*pairs, *(fault for one in findings for fault in faults(one)))


def tshark_counts(name: str) -> Counts:
    """What tshark counts; a stream that only an ICMP error quotes from is none."""
    oracle = load(ORACLE / f"{name}.json")
    return Counts(oracle["packets"], oracle["tcp_packets"], sum(1 for one in oracle["streams"] if one["packets"]))


def counts(name: str) -> Counts:
    """What the analyzer counts."""
    return Counts(seen(name).packets, seen(name).segments, len(seen(name).connections))


def endpoint(side: dict[str, Any]) -> str:
    """An endpoint of the oracle as the analyzer writes it."""
    return f"[{side['ip']}]:{side['port']}" if ":" in side["ip"] else f"{side['ip']}:{side['port']}"


def verdict_frames(name: str, *words: str) -> set[int]:
    """The frames of which the reader said one of these words."""
    return {entry["frame"] for entry in VERDICTS.get(name, []) if entry["verdict"] in words}


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_analysed_or_refused_with_a_reason(name: str) -> None:
    refusal = seen(name).refusal
    assert (refusal is not None) == (name in REFUSED)
    assert refusal is None or REFUSED[name] in refusal


@pytest.mark.parametrize("name", READ)
def test_every_segment_belongs_to_one_connection_or_is_a_copy(name: str) -> None:
    whole = seen(name)
    assert sum(packets for *_, packets in whole.connections) + whole.duplicates == whole.segments


@pytest.mark.parametrize("name", READ)
def test_keepalive_probes_are_those_that_a_reader_finds(name: str) -> None:
    found = {frame for frame, _ in seen(name).keepalives}
    assert verdict_frames(name, "right", "missed") <= found
    also = {frame for capture, frame in ALSO_PROBES if capture == name}
    assert found == found & verdict_frames(name, "right", "missed", "doubtful") | also


@pytest.mark.parametrize("name", [name for name in VERDICTS if name in READ])
def test_probes_are_answered_by_the_frames_that_a_reader_names(name: str) -> None:
    found = dict(seen(name).keepalives)
    for entry in VERDICTS[name]:
        if entry["verdict"] in ("right", "missed") and entry["peer_reply"]:
            frame = entry["frame"]
            assert found[frame] == OTHER_ANSWERS.get((name, frame), entry["peer_reply"]["frame"]), frame


@pytest.mark.parametrize("name", READ)
def test_every_keepalive_probe_stands_in_one_episode(name: str) -> None:
    assert seen(name).in_episodes == seen(name).keepalives


@pytest.mark.parametrize("name", READ)
def test_window_probes_are_those_of_tshark_and_the_reader(name: str) -> None:
    read = {entry["frame"] for entry in VERDICTS.get(name, []) if entry["reason"] == "zero-window-probe"}
    assert set(seen(name).window_probes) == read | set(load(ORACLE / f"{name}.json")["zero_window_probe"])


@pytest.mark.parametrize("name", READ)
def test_counts_are_those_of_tshark_but_for_known_reasons(name: str) -> None:
    expected, _ = OTHER_COUNTS.get(name, (tshark_counts(name), ""))
    assert counts(name) == expected


@pytest.mark.parametrize("name", [name for name in READ if name not in OTHER_COUNTS])
def test_connections_are_those_of_tshark_in_the_same_order(name: str) -> None:
    streams = [one for one in load(ORACLE / f"{name}.json")["streams"] if one["packets"]]
    for one, (client, server, packets) in zip(streams, seen(name).connections, strict=True):
        assert {client, server} == {endpoint(one["a"]), endpoint(one["b"])}
        assert client == endpoint(one["a"]) or not one["a_is_syn_sender"]
        assert packets == one["packets"] or seen(name).duplicates  # tshark counts copies too


def test_few_captures_differ() -> None:
    assert len(OTHER_COUNTS) <= MOST_DIFFERENCES


def test_the_tables_of_exceptions_hold_nothing_stale() -> None:
    assert {*REFUSED, *OTHER_COUNTS, *VERDICTS} <= set(NAMES)
    for name, (expected, _) in OTHER_COUNTS.items():
        assert expected != tshark_counts(name), name
