"""Sockets in a file: what `keepalive sockets` writes is read back as it was, in JSON and in NDJSON; `ss` beside it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from analyzer.errors import CaptureError
from analyzer.host.recorded import read_file, read_recorded
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Options, Owner, Process, Socket, Timer
from analyzer.report.socket_records import record, write_json, write_ndjson
from analyzer.tcp import State

PROCESS = Process(12, 'a "b"', "www", 1_700_000_000.25, runtime="go1.22", unit="a.service", container="c" * 12, pod="p")
SOCKETS = [
    Socket(Endpoint("10.0.0.1", 5000), Endpoint("10.0.0.2", 443), State.ESTABLISHED, Timer.KEEPALIVE, 41.7, 2, 3.5,
           9.25, 0.5, 1, 2, 3, 0.025, 33, 77, 1 << 40, netns="blue", options=Options(True, 60, 5, 3, 0),
           owners=(Owner(PROCESS, 4),)),
    Socket(Endpoint("2001:db8::1", 80), Endpoint("2001:db8::2", 40000), State.FIN_WAIT_2, Timer.NONE),
    *(Socket(Endpoint("::", 80), Endpoint("::", 0), state) for state in State),
    *(Socket(Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), State.SYN_SENT, timer, 0.0) for timer in Timer),
]  # fmt: skip


@pytest.mark.parametrize("write", [write_json, write_ndjson])
@pytest.mark.parametrize("sockets", [SOCKETS, SOCKETS[:1], []], ids=["all", "one", "none"])
def test_what_is_written_is_read(write: object, sockets: list[Socket]) -> None:
    assert callable(write)
    out = io.StringIO()
    write(1_700_000_123.5, 7, sockets, [], out)
    read = read_recorded(out.getvalue())
    assert (read.time, read.unseen) == (1_700_000_123.5, 7)
    assert read.sockets == sockets
    assert [record(one) for one in read.sockets] == [record(one) for one in sockets]
    assert read.idle_known is bool(sockets)


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"sockets": []}', '{"time": 1, "unseen_processes": 0, "sockets": [{}]}', '{"type": "flow"}', "{}\n{}",
     '{"time": 1, "unseen_processes": 0, "sockets": 4}', '{"time": null, "unseen_processes": 0, "sockets": []}'],
)  # fmt: skip
def test_what_is_no_list_of_sockets_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sockets.json"
    path.write_text(text)
    with pytest.raises(CaptureError, match="no list of sockets"):
        read_file(str(path))


def test_what_ss_printed_has_the_time_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "ss"
    path.write_text("ESTAB 0 0 10.0.0.1:5000 10.0.0.2:443 timer:(keepalive,41sec,0) ino:77 sk:1 lastrcv:20\n")
    read = read_file(str(path))
    [one] = read.sockets
    assert (one.keepalive, one.timer_left, read.time) == (True, 41, path.stat().st_mtime)
    with pytest.raises(CaptureError, match="cannot be read"):
        read_file(str(tmp_path))
