"""What a scan found, as Parquet: tables in directories by day and host, as DuckDB, Spark and others read them."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analyzer.analysis import Analysis
from analyzer.diagnose.silence import Silence
from analyzer.errors import UsageError
from analyzer.fleet.folder import Folder
from analyzer.fleet.gathering import tracks_of_all
from analyzer.fleet.hosts import hosts_of
from analyzer.fleet.tables import read_tables, write_tables
from analyzer.fleet.work import Tell, Workers, in_stage
from analyzer.measure import KEY_SIZE, endpoints_of, measure
from analyzer.model.captures import CaptureFacts, Span
from analyzer.model.columns import Tracks
from analyzer.model.community_id import community_id
from analyzer.model.flows import Endpoint
from analyzer.report.arrow import Tables
from analyzer.tables.arrays import Column
from analyzer.tables.fields import FIRST_FRAME, FIRST_TIME, FLOW_SIZE, FRAME_BITS, LONGEST_GAP
from analyzer.tcp import SECOND
from analyzer.track.renumber import extract

if TYPE_CHECKING:
    from pyarrow import Table


TABLES = ("flows", "probes", "episodes", "findings", "captures")
PARTITIONED = ["day", "host"]
NO_DAY, NO_HOST = "1970-01-01", "unknown"
MOST_DIRECTORIES = 1 << 30  # pyarrow's own limit is 1024
SLICES = "slices"
# What is removed before it is written anew: files that are called so, and nothing else that lies there.
OURS = {
    **dict.fromkeys(TABLES, re.compile(r"day=[^/]*/host=[^/]*/part-\d{5}-\d+\.parquet")),
    SLICES: re.compile(r"\d{5}\.tables"),
}
OF_SLICE = 20_000  # connections, whose rows take some 200 MB on their way
DAY_S = 86_400


class Slice(NamedTuple):
    """Some connections of an analysis, whose rows one worker writes."""

    folder: Folder
    number: int
    first: int  # stream
    end: int  # of all captures
    spans: tuple[tuple[int, int], ...]  # in which they ran
    idle_after: int
    paths: tuple[str, ...]  # of the captures, each with its host
    hosts: tuple[str, ...]
    digits: int


def write_results(
    folder: Folder,
    analysis: Analysis,
    workers: Workers,
    pattern: str | None = None,
    progress: Tell = lambda progress: None,
) -> None:
    """Write all tables anew: those with a row for each connection by workers. `pattern` is as in `hosts_of`."""
    paths = tuple(_readable(facts.path) for facts in analysis.captures)
    hosts = tuple(hosts_of(paths, pattern))
    for name, ours in OURS.items():
        folder.remove(name, ours)
    slices = list(_slices(folder, analysis, paths, hosts))
    for _, done in in_stage("writing", workers.each(write_slice, slices, "write"), len(slices), progress):
        if isinstance(done, Exception):
            raise UsageError(f"the results cannot be written: {done}") from done
    folder.remove(SLICES, OURS[SLICES])
    findings = Tables(analysis, frames_as_text=True).findings
    _write(folder, "findings", _Where(analysis, paths, hosts).of_findings(findings))
    _write(folder, "captures", _captures(analysis.captures, hosts))


def _slices(folder: Folder, analysis: Analysis, paths: tuple[str, ...], hosts: tuple[str, ...]) -> Iterator[Slice]:
    """All connections in parts: each is written for its worker to read."""
    facts, whole = analysis.facts, tracks_of_all(folder)
    for number, first in enumerate(range(0, max(len(analysis), 1), OF_SLICE)):
        streams = np.arange(first, min(first + OF_SLICE, len(analysis)))
        tracks, _ = extract(whole, streams)
        write_tables(
            folder, f"{SLICES}/{number:05}.tables", *tracks, analysis.judged[streams].astype(np.int64)[:, None]
        )
        what = (facts.end, facts.spans, analysis.idle_after)
        yield Slice(folder, number, first, *what, paths, hosts, analysis.digits)


def write_slice(part: Slice) -> None:
    """Write the rows of some connections."""
    flows, probes, events, judged = read_tables(part.folder, f"{SLICES}/{part.number:05}.tables")
    facts = measure(Tracks(flows, probes, events), part.end, [Span(*one) for one in part.spans])
    captures = [CaptureFacts(path, digits=part.digits) for path in part.paths]
    analysis = Analysis(captures, facts, part.idle_after, judged[:, 0].astype(np.int8))
    made, where = Tables(analysis, frames_as_text=True), _Where(analysis, part.paths, part.hosts)
    for name, table in (
        ("flows", where.of_flows(made.flows)),
        ("probes", where.of_streams(made.probes)),
        ("episodes", where.of_streams(made.episodes)),
    ):
        _write(part.folder, name, _numbered(table, part.first), part.number)


def _numbered(table: Table, first: int) -> Table:
    """With streams as they are among all."""
    from pyarrow.compute import add

    place = table.column_names.index("stream")
    return table.set_column(place, "stream", add(table["stream"], first))


class _Where:
    """When and where connections began: the day of the first packet, and the host whose capture holds it."""

    def __init__(self, analysis: Analysis, paths: Sequence[str], hosts: Sequence[str]) -> None:
        self._facts, self._flows = analysis.facts, analysis.facts.tracks.flows
        self._captures, self._paths, self._hosts = analysis.captures, paths, hosts
        self._ends = lru_cache(OF_SLICE)(self._ends_of)
        self._id = lru_cache(OF_SLICE)(self._id_of)

    def _ends_of(self, stream: int) -> tuple[Endpoint, Endpoint]:
        return endpoints_of(self._flows[stream, :KEY_SIZE].tolist())

    def _id_of(self, stream: int) -> str:
        return community_id(*self._ends(stream))

    def of_flows(self, table: Table) -> Table:
        """With what addresses connections by: a Community ID, sortable addresses, the capture that shows it first.

        And with the longest silence after which both ends spoke, and the last one if only one end did.
        """
        streams = range(len(self._flows))
        ends = [self._ends(stream) for stream in streams]
        paths = (self._paths[file] for file in (self._flows[:, FIRST_FRAME] >> FRAME_BITS).tolist())
        table = table.append_column("community_id", _texts(map(self._id, streams)))
        table = table.append_column("client_sortable", _texts(_sortable(client.address) for client, _ in ends))
        table = table.append_column("server_sortable", _texts(_sortable(server.address) for _, server in ends))
        table = table.append_column("survived_silence_s", _spans(self._flows[:, LONGEST_GAP]))
        table = table.append_column("last_silence_s", _spans(Silence(self._facts).last_gap))
        return self._placed(table.append_column("capture", _texts(paths)), list(streams))

    def of_streams(self, table: Table) -> Table:
        """Rows about one connection each."""
        streams = table["stream"].to_pylist()
        table = table.append_column("community_id", _texts(map(self._id, streams)))
        return self._placed(table, streams)

    def of_findings(self, table: Table) -> Table:
        """By the first connection that each is about; about captures, by their first packet."""
        import pyarrow

        of = table["streams"].to_pylist()
        ids = [[self._id(stream) for stream in streams] for streams in of]
        ids = pyarrow.array(ids, pyarrow.list_(pyarrow.string()))
        return self._placed(table.append_column("community_ids", ids), [next(iter(some), None) for some in of])

    def _placed(self, table: Table, streams: Sequence[int | None]) -> Table:
        """With the day and the host on which each of these began."""
        times = [facts.first_time for facts in self._captures if facts.first_time is not None]
        first = _day(min(times, default=None)), NO_HOST
        rows = np.array([-1 if stream is None else stream for stream in streams], np.int64)
        began = self._flows[np.maximum(rows, 0)] if len(self._flows) else np.zeros((len(rows), FLOW_SIZE), np.int64)
        each = zip(rows.tolist(), _days(began[:, FIRST_TIME]), began[:, FIRST_FRAME].tolist(), strict=True)
        places = [(day, self._hosts[frame >> FRAME_BITS] or NO_HOST) if row >= 0 else first for row, day, frame in each]
        table = _in_microseconds(table).append_column("day", _texts(day for day, _ in places))
        return table.append_column("host", _texts(host for _, host in places))


def _captures(captures: Sequence[CaptureFacts], hosts: Sequence[str]) -> Table:
    """What was read, and what of it could not be."""
    import pyarrow

    moment = pyarrow.timestamp("us", "UTC")
    problem = pyarrow.struct([("offset", pyarrow.int64()), ("reason", pyarrow.string())])
    columns: dict[str, tuple[Any, list[Any]]] = {
        "capture": (pyarrow.int64(), list(range(len(captures)))),
        "path": (pyarrow.string(), [_readable(facts.path) for facts in captures]),
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


def _write(folder: Folder, name: str, table: Table, part: int = 0) -> None:
    """Rows of a table, each to its day and host; the first part has a file without any, too."""
    from pyarrow.dataset import ParquetFileFormat, write_dataset

    if len(table):
        write_dataset(
            table,
            folder.at(name),
            filesystem=folder.filesystem,
            format="parquet",
            partitioning=PARTITIONED,
            partitioning_flavor="hive",
            basename_template=f"part-{part:05}-{{i}}.parquet",
            existing_data_behavior="overwrite_or_ignore",
            use_threads=False,  # rows stay in their order
            max_partitions=MOST_DIRECTORIES,
            file_options=ParquetFileFormat().make_write_options(compression="zstd"),
        )
    elif part == 0:
        _write_empty(folder, name, table)


def _write_empty(folder: Folder, name: str, table: Table) -> None:
    """A table without rows has no day and no host, but its columns."""
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    write_table(table.drop_columns(PARTITIONED), out)
    folder.write(f"{name}/day={NO_DAY}/host={NO_HOST}/part-00000-0.parquet", out.getvalue())


def _in_microseconds(table: Table) -> Table:
    """Times as most readers of Parquet take them; nanoseconds they refuse, or cannot subtract."""
    import pyarrow

    fields = [
        one.with_type(pyarrow.timestamp("us", "UTC")) if pyarrow.types.is_timestamp(one.type) else one
        for one in table.schema
    ]
    return table.cast(pyarrow.schema(fields), safe=False)


def _texts(values: Iterable[str]) -> Any:
    import pyarrow

    return pyarrow.array(values, pyarrow.string())


def _spans(nanoseconds: Column) -> Any:
    """Spans of time in seconds, null where there is none."""
    import pyarrow

    spans = np.asarray(nanoseconds)
    return pyarrow.array(spans / SECOND, pyarrow.float64(), mask=spans <= 0)


def _days(times: Column) -> list[str]:
    """The day of each time: few days, of many times."""
    numbers = times // (DAY_S * SECOND)
    names = {number: _day(number * DAY_S * SECOND) for number in np.unique(numbers).tolist()}
    return [names[number] for number in numbers.tolist()]


def _day(time: int | None) -> str:
    """The day of a time, in UTC."""
    if time is None:
        return NO_DAY
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%d")


def _microseconds(time: int | None) -> int | None:
    return None if time is None else time // 1000


def _readable(path: str) -> str:
    """A path as text: names of files need not be any."""
    return path.encode(errors="backslashreplace").decode()


@lru_cache(1 << 16)
def _sortable(address: str) -> str:
    """An address as 32 hexadecimal digits, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2): text in the order of numbers."""
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address).hex()
    return f"{0xFFFF:024x}{socket.inet_pton(socket.AF_INET, address).hex()}"
