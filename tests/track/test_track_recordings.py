"""The kernels and the naive tracker agree on what real kernels sent, plain, compiled, and switched on the way."""

from __future__ import annotations

from pathlib import Path

import naive
import pytest
from kernel_view import from_naive, from_tables, run_kernels

from analyzer.kernels import Kernels, plain

# The naive reader knows little-endian files and Ethernet alone.
RECORDINGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "captures").glob("*/capture.pcap"))
    if path.read_bytes()[0] != 0xA1 and path.parent.name not in ("gre", "vxlan")
]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_a_recording_shows_the_same_to_all_trackers(path: Path, compiled: Kernels) -> None:
    capture = path.read_bytes()
    expected = [from_naive(connection) for connection in naive.track(capture)]
    assert from_tables(run_kernels(capture, [plain()], [1000])) == expected
    assert from_tables(run_kernels(capture, [compiled], [7])) == expected
    assert from_tables(run_kernels(capture, [plain(), plain(), compiled], [11, 3])) == expected
