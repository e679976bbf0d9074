"""Connections, probes, idle gaps and findings as Arrow tables, for Parquet files, pandas, polars and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from analyzer.model.flows import SIDES, Heartbeat, Keepalive
from analyzer.model.words import ProbeKind
from analyzer.report.analysed import Analysed
from analyzer.report.csv import COLUMNS, SETTING_COLUMNS, flow_row, setting_values
from analyzer.tables.fields import ANSWER_FRAME, ANSWER_TIME, PROBE_FRAME, PROBE_TIME
from analyzer.tables.frames import frame_text

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema, Table


Row = tuple[object, ...] | list[object]
ROWS = 1 << 15  # in a row group: what is in memory as objects at once
SEVERAL = 2  # captures, or more: frames are told with their file
NUMBER, DECIMAL, TEXT, TIME, FRAME = range(5)  # what a column holds
NUMBERS, TEXTS, FRAMES = range(5, 8)  # lists of it
KINDS = {
    **dict.fromkeys(("client_address", "server_address", "roles", "handshake", "state_client", "state_server"), TEXT),
    **dict.fromkeys(("ending_how", "ending_by", "ending_why", "verdict", "tunnel"), TEXT),
    **dict.fromkeys(("start", "end", "ending_time"), TIME),
    "handshake_rtt_s": DECIMAL,
}
PROBER = {
    "icmp": NUMBER,
    "probe_length": NUMBER,
    "confidence": TEXT,
    **dict.fromkeys(SETTING_COLUMNS, DECIMAL),
    "user_timeout_s_low": DECIMAL,
    "user_timeout_s_high": DECIMAL,
    "profiles": TEXTS,
    "heartbeat_protocol": TEXT,
    "heartbeat_period_s": DECIMAL,
    "heartbeats_sent": NUMBER,
    "heartbeats_answered": NUMBER,
    "heartbeat_frames": FRAMES,
}
TABLES = {
    # Those of the CSV, then what each side shows of its settings.
    "flows": {
        **{name: KINDS.get(name, NUMBER) for name in COLUMNS},
        **{f"{name}_{side}": kind for side in SIDES for name, kind in PROBER.items()},
    },
    "probes": {
        "stream": NUMBER,
        "sender": TEXT,
        "frame": FRAME,
        "time": TIME,
        "answer_frame": FRAME,
        "answer_time": TIME,
        "kind": TEXT,
    },
    "episodes": {"stream": NUMBER, "sender": TEXT, "start": TIME, "end": TIME, "outcome": TEXT, "probes": NUMBER},
    "findings": {
        **dict.fromkeys(("rule", "severity", "confidence"), TEXT),
        "stream": NUMBER,
        "streams": NUMBERS,
        "summary": TEXT,
        "remedy": TEXT,
        "evidence_frames": FRAMES,
        **{f"evidence_{part}": TEXT for part in ("observed", "expected", "source", "display_filter")},
        "notes": TEXTS,
    },
}


class Tables:
    """The tables named in TABLES, of all connections or of some: pyarrow Tables in memory, or written row by row."""

    def __init__(
        self, analysis: Analysed, streams: Sequence[int] | None = None, *, frames_as_text: bool = False
    ) -> None:
        """With `frames_as_text` frames are as those of several captures."""
        self._analysis = analysis
        self._streams = range(len(analysis)) if streams is None else streams
        # A number for one capture, a string for several, as in the JSON.
        self._one_capture = len(analysis.captures) == 1 and not frames_as_text
        self._frame: Callable[[int], object] = int if self._one_capture else _text_of_frame

    @property
    def flows(self) -> Table:
        """A row per connection."""
        return self._whole("flows")

    @property
    def probes(self) -> Table:
        """A row per keepalive or zero-window probe, with its answer."""
        return self._whole("probes")

    @property
    def episodes(self) -> Table:
        """A row per idle gap that was probed, with what ended it."""
        return self._whole("episodes")

    @property
    def findings(self) -> Table:
        """A row per finding, with its evidence."""
        return self._whole("findings")

    def _whole(self, name: str) -> Table:
        import pyarrow

        return pyarrow.Table.from_batches(self._batches(name), self._schema(name))

    def write(self, name: str, out: IO[bytes]) -> None:
        """A table as Parquet, a row group at a time."""
        from pyarrow.parquet import ParquetWriter

        with ParquetWriter(out, self._schema(name), compression="zstd") as writer:
            for batch in self._batches(name):
                writer.write_batch(batch)

    def _batches(self, name: str) -> Iterator[RecordBatch]:
        import pyarrow

        schema = self._schema(name)
        rows: Iterator[Row] = getattr(self, f"_{name}_rows")()
        while some := list(islice(rows, ROWS)):
            columns = zip(*some, strict=True)
            arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
            yield pyarrow.RecordBatch.from_arrays(arrays, schema=schema)

    def _schema(self, name: str) -> Schema:
        import pyarrow

        frame = pyarrow.int64() if self._one_capture else pyarrow.string()
        kinds = {
            NUMBER: pyarrow.int64(),
            DECIMAL: pyarrow.float64(),
            TEXT: pyarrow.string(),
            TIME: pyarrow.timestamp("ns", "UTC"),
            FRAME: frame,
            NUMBERS: pyarrow.list_(pyarrow.int64()),
            TEXTS: pyarrow.list_(pyarrow.string()),
            FRAMES: pyarrow.list_(frame),
        }
        return pyarrow.schema([(column, kinds[kind]) for column, kind in TABLES[name].items()])

    def _flows_rows(self) -> Iterator[Row]:
        for flow in self._analysis.flows_of(self._streams):
            probers = {entry.sender: entry for entry in flow.keepalive}
            beating = {beats.sender: beats for beats in flow.heartbeats}
            row = flow_row(flow, int, lambda nanoseconds: nanoseconds / 1e9)
            for side in SIDES:
                entry = probers.get(side)
                row += NO_PROBER if entry is None else _prober(entry)
                row += self._heartbeat(beating.get(side))
            yield row

    def _heartbeat(self, beats: Heartbeat | None) -> Row:
        if beats is None:
            return (None, None, 0, 0, [])
        return (beats.protocol, beats.period_s, beats.sent, beats.answered, list(map(self._frame, beats.frames)))

    def _probes_rows(self) -> Iterator[Row]:
        facts, frame = self._analysis.facts, self._frame
        chosen = np.zeros(len(facts), bool)
        chosen[self._streams] = True
        for start in range(0, len(facts.probe_kind), ROWS):
            log, kinds = facts.tracks.probes[start : start + ROWS], facts.probe_kind[start : start + ROWS]
            who = facts.prober[start : start + ROWS]
            fields = (log[:, field] for field in (PROBE_FRAME, PROBE_TIME, ANSWER_FRAME, ANSWER_TIME))
            kept = (kinds != ProbeKind.NOT_A_PROBE) & chosen[who >> 1]
            for prober, kind, number, time, answer, answered in np.stack((who, kinds, *fields), axis=1)[kept].tolist():
                reply = (frame(answer), answered) if answer else (None, None)
                word = ProbeKind(kind).name.lower()
                yield (prober >> 1, SIDES[prober & 1], frame(number), time, *reply, word)

    def _episodes_rows(self) -> Iterator[Row]:
        probed = self._analysis.facts.probes[self._streams].any(axis=1)
        streams = np.asarray(self._streams, np.int64)[probed].tolist()
        for flow in self._analysis.flows_of(streams):
            for entry in flow.keepalive:
                for start, end, outcome, probes in entry.episodes:
                    yield (flow.stream, entry.sender, start, end, outcome.name.lower(), len(probes))

    def _findings_rows(self) -> Iterator[Row]:
        for one in self._analysis.findings:
            frames = list(map(self._frame, one.evidence.frames))
            streams = list(map(int, one.streams)) if one.stream is None else [one.stream]
            what = (one.rule, one.severity, one.confidence, one.stream, streams, one.summary, one.remedy, frames)
            seen = one.evidence
            yield (*what, seen.observed, seen.expected, seen.source, seen.display_filter, list(one.notes))


def _text_of_frame(frame: int) -> str:
    return frame_text(frame, SEVERAL)


def _prober(entry: Keepalive | None) -> Iterator[Any]:
    """Columns of PROBER up to the heartbeats: what is not known is null."""
    yield from (0, None, None) if entry is None else (entry.icmp, entry.probe_length, entry.confidence)
    yield from setting_values(entry)
    yield from (None, None) if entry is None or entry.user_timeout_s is None else entry.user_timeout_s
    yield [] if entry is None else list(entry.profiles)


NO_PROBER = tuple(_prober(None))  # of most connections
