"""Sockets of a host in a file: what `ss` printed there, or what `keepalive sockets` wrote as JSON or NDJSON."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from analyzer.errors import CaptureError
from analyzer.host import Snapshot
from analyzer.host.ss import MAX_PORT, read_ss
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Options, Owner, Process, Socket, Timer
from analyzer.tcp import State

LABELS = {state.label: state for state in State}
NO_LIST = "no list of sockets, as `keepalive sockets --format json` writes it"
Json = dict[str, Any]


def read_file(path: str) -> Snapshot:
    """The sockets in a file, whichever of the three forms it has; raises CaptureError where it is none of them.

    What `ss` printed has no time: it is taken for that of the file.
    """
    try:
        return read_text(Path(path).read_bytes(), path, Path(path).stat().st_mtime)
    except OSError as error:
        raise CaptureError(f"cannot be read: {error.strerror}", path=path) from error


def read_text(octets: bytes, path: str = "", made: float = 0.0) -> Snapshot:
    """The same of what is in a file, or came through a pipe, `made` at that time."""
    text = octets.decode(errors="replace")
    if text.lstrip().startswith("{"):
        return read_recorded(text, path)
    found = read_ss(text, path)
    return Snapshot(made, found, 0, any(one.idle is not None for one in found))


def read_recorded(text: str, path: str = "") -> Snapshot:
    """The sockets in what `keepalive sockets` wrote as JSON or NDJSON; raises CaptureError where it did not."""
    try:
        head, rows = _parts(text)
        found = [_socket(row) for row in rows]
        time, unseen = float(head["time"]), int(head["unseen_processes"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CaptureError(NO_LIST, path=path) from error
    return Snapshot(time, found, unseen, any(one.idle is not None for one in found))


def _parts(text: str) -> tuple[Json, Iterable[Json]]:
    """What is said of all of them, and each: of one object, or of one on each line."""
    try:
        whole: Json = json.loads(text)
        if "type" not in whole:
            return whole, whole["sockets"]
        lines = [whole]  # a host without a socket
    except json.JSONDecodeError:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    heads = [line for line in lines if line["type"] == "snapshot"]
    return heads[0] if heads else {}, [line for line in lines if line["type"] == "socket"]


def _socket(row: Json) -> Socket:
    return Socket(
        _endpoint(row["local_address"], row["local_port"]),
        _endpoint(row["peer_address"], row["peer_port"]),
        LABELS[row["state"]],
        Timer(row["timer"]),
        _float(row["timer_left_s"]),
        int(row["unanswered"]),
        _float(row["received_ago_s"]),
        _float(row["sent_ago_s"]),
        _float(row["heard_ago_s"]),
        int(row["recv_queue"]),
        int(row["send_queue"]),
        _int(row["retransmissions"]),
        _float(row["rtt_s"]),
        _int(row["uid"]),
        _int(row["inode"]) or 0,
        _int(row["cookie"]) or 0,
        netns=str(row["netns"] or ""),
        options=_options(row),
        owners=_owners(row),
    )


def _endpoint(address: object, port: object) -> Endpoint:
    """Raises ValueError for what is none."""
    number = int(str(port))
    if not 0 <= number <= MAX_PORT:
        raise ValueError(port)
    return Endpoint(str(ipaddress.ip_address(str(address))), number)


def _int(value: object) -> int | None:
    return None if value is None else int(str(value))


def _float(value: object) -> float | None:
    return None if value is None else float(str(value))


def _options(row: Json) -> Options | None:
    names = ("keepalive", "tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes", "user_timeout_ms")
    return (
        None
        if row["tcp_keepalive_time"] is None
        else Options(bool(row[names[0]]), *(int(row[name]) for name in names[1:]))
    )


def _owners(row: Json) -> tuple[Owner, ...]:
    """Of several that hold one socket the first alone is written."""
    if row["pid"] is None:
        return ()
    process = Process(
        int(row["pid"]),
        str(row["process"]),
        str(row["user"] or ""),
        _float(row["process_started"]),
        runtime=str(row["runtime"] or ""),
        unit=str(row["unit"] or ""),
        container=str(row["container"] or ""),
        pod=str(row["pod"] or ""),
    )
    return (Owner(process, int(row["fd"])),)
