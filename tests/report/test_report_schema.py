"""The JSON is what its schema says, and its numbers keep every digit of the capture."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from captures_in_bytes import SECTION_HEADER, captured, pcap, pcapng
from frames_in_bytes import ethernet, ipv4, ipv6, tcp
from results import EVERY_CAPTURE, ROOT, packets_of, recorded
from schema import SCHEMA, validator
from talks_in_bytes import ethernet_talk

import analyzer
from analyzer.diagnose import VERDICTS
from analyzer.model.words import Handshake, How, Outcome, Why
from analyzer.report.json import write_ndjson
from analyzer.tables.fields import SKIP_REASONS
from analyzer.tcp import State

DEAD_PEER, HTTP = (ROOT / "captures" / case / "capture.pcap" for case in ("dead-peer", "go-http-transport"))
TIME = re.compile(r'"(?:time|start|end|first_time|last_time|answer_time)": ([^,}\]]+)')


def analysed(*paths: Path) -> analyzer.Analysis:
    return analyzer.analyze(*map(str, paths), engine="plain")


def check(*paths: Path) -> dict[str, Any]:
    """Both forms of the result are valid and say the same."""
    analysis = analysed(*paths)
    whole: dict[str, Any] = json.loads(analysis.to_json(), parse_float=Decimal)
    validator().validate(whole)
    out = io.StringIO()
    write_ndjson(analysis, analysis.flows, analysis.findings, analysis.hosts(), out)
    lines = [json.loads(line, parse_float=Decimal) for line in out.getvalue().splitlines()]
    for line in lines:
        validator("#/$defs/line").validate(line)
    assert [line.pop("type") for line in lines] == [
        kind for kind in ("capture", "flow", "finding", "host") for _ in whole[f"{kind}s"]
    ]
    assert lines == [*whole["captures"], *whole["flows"], *whole["findings"], *whole["hosts"]]
    return whole


@cache
def checked(capture: Path) -> dict[str, Any]:
    """The valid result of a recording, not to be changed."""
    return check(capture)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@EVERY_CAPTURE
def test_every_captures_result_is_valid(capture: Path) -> None:
    whole = checked(capture)
    assert whole["flows"]


def test_several_captures_one_missing_are_valid_and_number_frames_by_file(tmp_path: Path) -> None:
    whole = check(DEAD_PEER, tmp_path / "missing.pcap", HTTP)
    frames = [p["frame"] for f in whole["flows"] for k in f["keepalive"] for e in k["episodes"] for p in e["probes"]]
    assert {frame.split(":")[0] for frame in frames} == {"0", "2"}


@pytest.mark.parametrize(
    "octets",
    [pcap([]), pcapng([]), pcap(ethernet_talk())[:-7], gzip.compress(pcap([]))],
    ids=["pcap", "pcapng", "cut", "gzip"],
)
def test_an_empty_or_damaged_captures_result_is_valid(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "capture"
    path.write_bytes(octets)
    check(path)


def test_whatever_addresses_and_flags_a_capture_holds_the_result_is_valid(tmp_path: Path) -> None:
    sources = ["0.0.0.0", "255.255.255.255", "127.0.0.1"]
    packets = [ipv4(tcp(0, 65535, flags=flags), source=source) for source in sources for flags in range(64)]
    packets += [ipv6(tcp(flags=flags), source=source) for source in ("::", "::ffff:1.2.3.4") for flags in range(64)]
    path = tmp_path / "odd.pcap"
    path.write_bytes(pcap(captured(ethernet(packet), i * 10**8) for i, packet in enumerate(packets)))
    check(path)


def test_a_path_that_is_no_text_is_still_json(tmp_path: Path) -> None:
    path = tmp_path / 'odd "name"\n\x1b\udcff.pcap'
    path.write_bytes(pcap(ethernet_talk()))
    assert check(path)["captures"][0]["path"] == str(path)


@EVERY_CAPTURE
def test_times_are_decimal_literals_at_the_resolution_of_the_capture(capture: Path) -> None:
    octets = capture.read_bytes()
    if octets[:4] == struct.pack("<I", SECTION_HEADER):
        if_tsresol = octets.find(struct.pack("<HH", 9, 1))  # the option of the first interface
        digits = octets[if_tsresol + 4] if if_tsresol >= 0 else 6
    else:
        digits = 6 if octets[:4] == struct.pack("<I", 0xA1B2C3D4) else 9
    assert packets_of(capture)[1].digits == digits
    literals = [text for text in TIME.findall(recorded(capture).to_json()) if text != "null"]
    assert literals
    for literal in literals:
        assert re.fullmatch(rf"-?\d+\.\d{{{digits}}}", literal), literal


@EVERY_CAPTURE
def test_times_lose_no_digit(capture: Path) -> None:
    """Each probe's and answer's time is its frame's, exactly."""
    packets, _ = packets_of(capture)
    whole = checked(capture)
    for flow in whole["flows"]:
        for probe in (p for entry in flow["keepalive"] for e in entry["episodes"] for p in e["probes"]):
            assert probe["time"] * 10**9 == packets[probe["frame"] - 1].time
            if probe["answer_frame"] is not None:
                assert probe["answer_time"] * 10**9 == packets[probe["answer_frame"] - 1].time
    facts = whole["captures"][0]
    assert facts["first_time"] * 10**9 == packets[0].time
    assert facts["last_time"] * 10**9 == max(packet.time for packet in packets)


@EVERY_CAPTURE
def test_counts_add_up(capture: Path) -> None:
    whole = checked(capture)
    for flow in whole["flows"]:
        for entry in flow["keepalive"]:
            assert entry["probes"] == entry["answered"] + entry["unanswered"] + entry["reset"]
            assert entry["probes"] == sum(len(episode["probes"]) for episode in entry["episodes"])
            assert entry["icmp"] <= entry["unanswered"]
        assert flow["start"] <= flow["end"]
    facts = whole["captures"][0]
    assert facts["packets"] >= facts["tcp_packets"] >= sum(sum(flow["packets"].values()) for flow in whole["flows"])
    assert [flow["stream"] for flow in whole["flows"]] == list(range(len(whole["flows"])))


def test_the_schema_knows_every_word_that_the_code_can_say() -> None:
    parts = SCHEMA["$defs"]
    flow, ending = parts["flow_fields"]["properties"], parts["ending"]["properties"]
    assert {verdict.word for verdict in VERDICTS} <= set(parts["verdict"]["enum"])
    assert {state.label for state in State} == set(parts["state"]["enum"])
    assert {word.name.lower() for word in Handshake} == set(flow["handshake"]["enum"])
    assert {word.name.lower() for word in How} == set(ending["how"]["enum"])
    # A user timeout ends a run of probes as their count does: the word is kept for what will tell them apart.
    reasons = {word.name.lower() for word in Why if word is not Why.NONE}
    assert reasons == set(ending["why"]["enum"]) - {None, "user_timeout"}
    assert {word.name.lower() for word in Outcome} == set(parts["episode"]["properties"]["outcome"]["enum"])
    assert set(SKIP_REASONS) == set(parts["capture_fields"]["properties"]["skipped"]["propertyNames"]["enum"])


@pytest.mark.parametrize("place", ["", "captures", "flows", "findings"])
def test_a_field_that_the_contract_does_not_name_is_invalid(place: str) -> None:
    whole = check(DEAD_PEER)
    (whole[place][0] if place else whole)["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        validator().validate(whole)
