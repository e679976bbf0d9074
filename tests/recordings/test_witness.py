"""Independent readers of the same captures: tshark counts frames and connections as we do, tcpdump's stream is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from results import recorded
from wireshark import fields

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*/capture.pcap*"))
# In these tshark opens another stream for what is one connection, or none for what is two; the reason is beside it.
OTHER_STREAMS: dict[str, str] = {}


def ids(path: Path) -> str:
    return path.parent.name


@pytest.mark.parametrize("capture", CAPTURES, ids=ids)
def test_frames_and_connections_are_as_many_as_tshark_counts(capture: Path) -> None:
    rows = fields(capture, ["tcp.stream", "icmp.type", "icmpv6.type"])
    # An ICMP error quotes a segment: tshark gives it a stream, but no host sent it.
    streams = {stream for stream, icmp, icmp6 in rows if stream and not icmp and not icmp6}
    analysis = recorded(capture)
    assert analysis.captures[0].packets == len(rows)
    assert len(analysis) == len(streams) or capture.parent.name in OTHER_STREAMS


def test_the_stream_that_tcpdump_writes_is_read_from_standard_input() -> None:
    capture = next(path for path in CAPTURES if path.parent.name == "dead-peer")
    with subprocess.Popen(
        ["tcpdump", "-r", str(capture), "-U", "-w", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as tcpdump:
        run = subprocess.run(
            [sys.executable, "-m", "analyzer", "analyze", "-", "--format", "csv"],
            stdin=tcpdump.stdout,
            capture_output=True,
            text=True,
            check=True,
        )
    assert "dead_peer" in run.stdout
