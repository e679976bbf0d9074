"""What a scan found, as Parquet: tables in directories by day and host, as DuckDB, Spark and others read them."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from analyzer.analysis import Analysis
from analyzer.diagnose.silence import Silence
from analyzer.fleet.hosts import hosts_of
from analyzer.fleet.places import Folder
from analyzer.model.captures import CaptureFacts
from analyzer.model.community_id import community_id
from analyzer.model.flows import Endpoint
from analyzer.report.arrow import Tables
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME, FRAME_BITS, LONGEST_GAP
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from pyarrow import Table

TABLES = ("flows", "probes", "episodes", "findings", "captures")
PARTITIONED = ["day", "host"]
NO_DAY, NO_HOST = "1970-01-01", "unknown"
MOST_DIRECTORIES = 1 << 16


def write_results(folder: Folder, analysis: Analysis, pattern: str | None = None) -> dict[str, int]:
    """Write all tables anew; return how many rows each has. `pattern` is as in `hosts_of`."""
    hosts = hosts_of([facts.path for facts in analysis.captures], pattern)
    made = Tables(analysis, frames_as_text=True)
    where = _Where(analysis, hosts)
    tables = {
        "flows": where.of_flows(made.flows),
        "probes": where.of_streams(made.probes),
        "episodes": where.of_streams(made.episodes),
        "findings": where.of_findings(made.findings),
        "captures": _captures(analysis.captures, hosts),
    }
    for name, table in tables.items():
        _write(folder, name, table)
    return {name: len(table) for name, table in tables.items()}


class _Where:
    """When and where connections began: the day of the first packet, and the host whose capture holds it."""

    def __init__(self, analysis: Analysis, hosts: Sequence[str]) -> None:
        flows = analysis.facts.tracks.flows
        self._days = [_day(time) for time in flows[:, FIRST_TIME].tolist()]
        self._hosts = [hosts[file] for file in (flows[:, FIRST_FRAME] >> FRAME_BITS).tolist()]
        self._paths = [analysis.captures[file].path for file in (flows[:, FIRST_FRAME] >> FRAME_BITS).tolist()]
        times = [facts.first_time for facts in analysis.captures if facts.first_time is not None]
        self._first_day = _day(min(times, default=None))
        self._ends = [analysis.ends(stream) for stream in range(len(flows))]
        self._ids = [community_id(*ends) for ends in self._ends]
        self._survived = flows[:, LONGEST_GAP].tolist()
        self._fatal = Silence(analysis.facts).last_gap.tolist()

    def of_flows(self, table: Table) -> Table:
        """With what addresses connections by: a Community ID, sortable addresses, the capture that shows it first.

        And with the longest silence after which both ends spoke, and the last one if only one end did.
        """
        sides = zip(*(map(_sortable, ends) for ends in self._ends), strict=True) if self._ends else ((), ())
        clients, servers = sides
        table = table.append_column("community_id", _texts(self._ids))
        table = table.append_column("client_sortable", _texts(clients))
        table = table.append_column("server_sortable", _texts(servers))
        table = table.append_column("survived_silence_s", _spans(self._survived))
        table = table.append_column("last_silence_s", _spans(self._fatal))
        return self._placed(table.append_column("capture", _texts(self._paths)), range(len(self._ends)))

    def of_streams(self, table: Table) -> Table:
        """Rows about one connection each."""
        streams = table["stream"].to_pylist()
        table = table.append_column("community_id", _texts(self._ids[stream] for stream in streams))
        return self._placed(table, streams)

    def of_findings(self, table: Table) -> Table:
        """By the first connection that each is about."""
        of = table["streams"].to_pylist()
        ids = _lists([[self._ids[stream] for stream in streams] for streams in of])
        return self._placed(table.append_column("community_ids", ids), [next(iter(some), None) for some in of])

    def _placed(self, table: Table, streams: Sequence[int | None]) -> Table:
        days = _texts(self._first_day if stream is None else self._days[stream] for stream in streams)
        hosts = _texts(NO_HOST if stream is None else self._hosts[stream] or NO_HOST for stream in streams)
        return _in_microseconds(table).append_column("day", days).append_column("host", hosts)


def _captures(captures: Sequence[CaptureFacts], hosts: Sequence[str]) -> Table:
    """What was read, and what of it could not be."""
    import pyarrow

    moment = pyarrow.timestamp("us", "UTC")
    problem = pyarrow.struct([("offset", pyarrow.int64()), ("reason", pyarrow.string())])
    columns: dict[str, tuple[Any, list[Any]]] = {
        "capture": (pyarrow.int64(), list(range(len(captures)))),
        "path": (pyarrow.string(), [facts.path for facts in captures]),
        "format": (pyarrow.string(), [facts.format for facts in captures]),
        "packets": (pyarrow.int64(), [facts.packets for facts in captures]),
        "tcp_packets": (pyarrow.int64(), [facts.tcp_packets for facts in captures]),
        "first_time": (moment, [_microseconds(facts.first_time) for facts in captures]),
        "last_time": (moment, [_microseconds(facts.last_time) for facts in captures]),
        "skipped": (pyarrow.string(), [json.dumps(facts.skipped) for facts in captures]),
        "problems": (
            pyarrow.list_(problem),
            [[one._asdict() for one in facts.problems] for facts in captures],
        ),
        "duplicates": (pyarrow.int64(), [facts.duplicates for facts in captures]),
        "shared": (pyarrow.int64(), [facts.shared for facts in captures]),
        "clock_ahead_s": (pyarrow.float64(), [facts.clock_shift / SECOND for facts in captures]),
        "same_traffic": (
            pyarrow.int64(),
            [None if facts.same_traffic is None else facts.same_traffic.capture for facts in captures],
        ),
        "day": (pyarrow.string(), [_day(facts.first_time) for facts in captures]),
        "host": (pyarrow.string(), [host or NO_HOST for host in hosts]),
    }
    arrays = [pyarrow.array(values, kind) for kind, values in columns.values()]
    return pyarrow.Table.from_arrays(arrays, list(columns))


def _write(folder: Folder, name: str, table: Table) -> None:
    """A table in place of an older one."""
    from pyarrow.dataset import ParquetFileFormat, write_dataset

    folder.remove(name)
    if not len(table):
        _write_empty(folder, name, table)
        return
    write_dataset(
        table,
        folder.at(name),
        filesystem=folder.filesystem,
        format="parquet",
        partitioning=PARTITIONED,
        partitioning_flavor="hive",
        basename_template="part-{i}.parquet",
        use_threads=False,  # rows stay in their order
        max_partitions=MOST_DIRECTORIES,
        file_options=ParquetFileFormat().make_write_options(compression="zstd"),
    )


def _write_empty(folder: Folder, name: str, table: Table) -> None:
    """A table without rows has no day and no host, but its columns."""
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    write_table(table.drop_columns(PARTITIONED), out)
    folder.write(f"{name}/day={NO_DAY}/host={NO_HOST}/part-0.parquet", out.getvalue())


def _in_microseconds(table: Table) -> Table:
    """Times as most readers of Parquet take them; nanoseconds they refuse, or cannot subtract."""
    import pyarrow

    fields = [
        one.with_type(pyarrow.timestamp("us", "UTC")) if pyarrow.types.is_timestamp(one.type) else one
        for one in table.schema
    ]
    return table.cast(pyarrow.schema(fields), safe=False)


def _texts(values: Any) -> Any:
    import pyarrow

    return pyarrow.array(list(values), pyarrow.string())


def _spans(nanoseconds: list[int]) -> Any:
    """Seconds; null where there is no such time."""
    import pyarrow

    return pyarrow.array([one / SECOND if one > 0 else None for one in nanoseconds], pyarrow.float64())


def _lists(values: list[list[str]]) -> Any:
    import pyarrow

    return pyarrow.array(values, pyarrow.list_(pyarrow.string()))


def _day(time: int | None) -> str:
    """The day of a time, in UTC."""
    if time is None:
        return NO_DAY
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%d")


def _microseconds(time: int | None) -> int | None:
    return None if time is None else time // 1000


def _sortable(end: Endpoint) -> str:
    """An address as 32 hexadecimal digits, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2): text in the order of numbers."""
    if ":" in end.address:
        return socket.inet_pton(socket.AF_INET6, end.address).hex()
    return f"{0xFFFF:024x}{socket.inet_pton(socket.AF_INET, end.address).hex()}"
