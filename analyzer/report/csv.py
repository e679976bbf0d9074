"""The flows as the rows of a table, and as CSV for `--format csv`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TextIO

from analyzer.model.flows import SETTINGS, SIDES, Estimate, Flow, Keepalive
from analyzer.model.words import Why
from analyzer.report.analysed import Shown
from analyzer.report.times import seconds
from analyzer.tcp import NANO_DIGITS

KEEPALIVE_COLUMNS = ("probes", "answered", "unanswered", "reset")
COLUMNS = (
    "stream",
    *(f"{side}_{part}" for side in SIDES for part in ("address", "port")),
    "roles",
    "start",
    "end",
    *(f"{part}_{side}" for part in ("packets", "bytes") for side in SIDES),
    "handshake",
    "handshake_rtt_s",
    *(f"state_{side}" for side in SIDES),
    "ending_how",
    "ending_by",
    "ending_time",
    "ending_why",
    "verdict",
    *(f"{part}_{side}" for side in SIDES for part in KEEPALIVE_COLUMNS),
    *(f"zero_window_probes_{side}" for side in SIDES),
    "tunnel",
)
ESTIMATES = (*SETTINGS, "former_tcp_keepalive_time")
BOUNDS = ("value", "low", "high")
NO_BOUNDS = (None,) * len(BOUNDS)
SETTING_COLUMNS = tuple(f"{setting}_{bound}" for setting in ESTIMATES for bound in BOUNDS)


def write_csv(analysis: Shown, flows: Iterable[Flow], out: TextIO) -> None:
    """A header, then a line per connection, with each side's settings at its end; what is not known is empty."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*COLUMNS, *(f"{name}_{side}" for side in SIDES for name in SETTING_COLUMNS)])
    time, span = partial(seconds, digits=analysis.digits), partial(seconds, digits=NANO_DIGITS)
    for flow in flows:
        probers = {entry.sender: entry for entry in flow.keepalive}
        settings = (value for side in SIDES for value in setting_values(probers.get(side)))
        table.writerow([*flow_row(flow, time, span), *settings])


def flow_row(flow: Flow, time: Callable[[int], object], span: Callable[[int], object]) -> list[object]:
    """A connection's values in the order of COLUMNS, None for what is not known; times as these two write them."""
    ending = flow.ending
    counts = {entry.sender: [getattr(entry, name) for name in KEEPALIVE_COLUMNS] for entry in flow.keepalive}
    return [
        flow.stream,
        flow.client.address,
        flow.client.port,
        flow.server.address,
        flow.server.port,
        flow.roles,
        time(flow.start),
        time(flow.end),
        *flow.packets,
        *flow.bytes,
        flow.handshake.name.lower(),
        None if flow.handshake_rtt is None else span(flow.handshake_rtt),
        flow.state[0].label,
        flow.state[1].label,
        ending.how.name.lower(),
        ending.by,
        None if ending.time is None else time(ending.time),
        None if ending.why is Why.NONE else ending.why.name.lower(),
        flow.verdict,
        *(value for side in SIDES for value in counts.get(side, [0] * len(KEEPALIVE_COLUMNS))),
        *flow.zero_window_probes,
        flow.tunnel,
    ]


def setting_values(entry: Keepalive | None) -> Iterator[float | None]:
    """A prober's values in the order of SETTING_COLUMNS, None for what is not known."""
    for setting in ESTIMATES:
        estimate: Estimate | None = getattr(entry, setting, None)
        if estimate is None:
            yield from NO_BOUNDS
        else:
            yield from (estimate.value, estimate.low, estimate.high)
