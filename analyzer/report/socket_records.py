"""Sockets and suspects as JSON, NDJSON, CSV and Parquet: one list of fields for all of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any, TextIO

from analyzer.model.community_id import community_id
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Socket, Suspect
from analyzer.tcp import State

SCHEMA_VERSION = 1


def record(one: Socket) -> dict[str, Any]:
    """A socket's fields by name; None is what is not known. Seconds, but for `user_timeout_ms`."""
    owner = one.owners[0] if one.owners else None
    process, options = owner.process if owner else None, one.options
    return {
        "netns": one.netns or None,
        "local_address": one.local.address,
        "local_port": one.local.port,
        "peer_address": one.peer.address,
        "peer_port": one.peer.port,
        "community_id": community_id(one.local, one.peer),
        "state": one.state.label,
        "timer": one.timer.value,
        "timer_left_s": one.timer_left,
        "unanswered": one.unanswered,
        "keepalive": one.keepalive,
        "idle_s": one.idle,
        "received_ago_s": one.received_ago,
        "sent_ago_s": one.sent_ago,
        "heard_ago_s": one.heard_ago,
        "recv_queue": one.recv_queue,
        "send_queue": one.send_queue,
        "retransmissions": one.retransmissions,
        "rtt_s": one.rtt,
        "uid": one.uid,
        "inode": one.inode or None,
        "cookie": one.cookie or None,
        "tcp_keepalive_time": options.idle if options else None,
        "tcp_keepalive_intvl": options.interval if options else None,
        "tcp_keepalive_probes": options.probes if options else None,
        "user_timeout_ms": options.user_timeout_ms if options else None,
        "pid": process.pid if process else None,
        "fd": owner.fd if owner else None,
        "process": process.command if process else None,
        "user": process.user if process else None,
        "process_started": process.since if process else None,
        "runtime": process.runtime or None if process else None,
        "unit": process.unit or None if process else None,
        "container": process.container or None if process else None,
        "pod": process.pod or None if process else None,
    }


def suspect_record(one: Suspect) -> dict[str, Any]:
    """A suspect's fields by name; `sockets` are the cookies of its sockets, or their inodes."""
    return {
        "rule": one.rule,
        "severity": one.severity,
        "confidence": one.confidence,
        "summary": one.summary,
        "remedy": one.remedy,
        "observed": one.observed,
        "source": one.source,
        "sockets": [socket.cookie or socket.inode for socket in one.sockets],
    }


def write_json(time: float, unseen: int, sockets: Iterable[Socket], suspects: Iterable[Suspect], out: TextIO) -> None:
    """One object."""
    head = {"schema_version": SCHEMA_VERSION, "time": time, "unseen_processes": unseen}
    out.write(json.dumps(head)[:-1] + ', "sockets": [')
    out.write(",\n ".join(json.dumps(record(one)) for one in sockets))
    out.write('],\n "suspects": [')
    out.write(",\n ".join(json.dumps(suspect_record(one)) for one in suspects))
    out.write("]}\n")


def write_ndjson(time: float, unseen: int, sockets: Iterable[Socket], suspects: Iterable[Suspect], out: TextIO) -> None:
    """One object on each line, with its `type`: the snapshot, each socket, each suspect."""
    out.write(json.dumps({"type": "snapshot", "time": time, "unseen_processes": unseen}) + "\n")
    out.writelines(json.dumps({"type": "socket", **record(one)}) + "\n" for one in sockets)
    out.writelines(json.dumps({"type": "suspect", **suspect_record(one)}) + "\n" for one in suspects)


def write_csv(sockets: Sequence[Socket], out: TextIO) -> None:
    """A line for each socket, under the names of the fields."""
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(record(one) for one in sockets)


def write_parquet(sockets: Sequence[Socket], out: IO[bytes]) -> None:
    """The same as one table."""
    import pyarrow as pa
    from pyarrow import parquet

    records = [record(one) for one in sockets]
    schema = pa.schema([(name, _kind(name, pa)) for name in FIELDS])
    parquet.write_table(pa.Table.from_pylist(records, schema=schema), out)


def _kind(name: str, pa: Any) -> Any:
    if name in ("keepalive",):
        return pa.bool_()
    if name.endswith("_s") or name == "process_started":
        return pa.float64()
    return pa.string() if name in TEXTS else pa.int64()


TEXTS = {
    "netns", "local_address", "peer_address", "community_id", "state", "timer", "process", "user", "runtime", "unit",
    "container", "pod",
}  # fmt: skip
FIELDS = tuple(record(Socket(Endpoint("::", 0), Endpoint("::", 0), State.CLOSED)))
