"""Advice for a reader: what to take and why, then each setting in a row, then what failed."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO

from analyzer.model.advice import Advice, Between, Failure, Kind, Limit, Outcome, Replay
from analyzer.model.quantities import connections, duration, several
from analyzer.tcp import SECOND

LISTED_OF_KIND, LIMITS_LISTED = 3, 3
HEADINGS = {
    Kind.DEAD_PEER: "dead peer noticed",
    Kind.IDLE_DROP: "drops avoided",
    Kind.LOST_STATE: "lost state noticed",
    Kind.UNACKNOWLEDGED_DATA: "data given up",
    Kind.UNPROTECTED: "if a peer is dead",
}
NAMES = {
    Kind.DEAD_PEER: "dead peer",
    Kind.IDLE_DROP: "idle drop",
    Kind.LOST_STATE: "lost state",
    Kind.UNACKNOWLEDGED_DATA: "unacknowledged data",
    Kind.UNPROTECTED: "unprotected",
    Kind.NEVER_CLOSED: "never closed",
    Kind.STALLED: "stalled",
}
LEGEND = (
    "Settings are idle time/interval/count of keepalive probes, times in seconds; utN is a TCP_USER_TIMEOUT of N s. "
    "Times count from the peer's last packet, or its last reply to a probe; Linux timers fire up to an eighth late. "
    "If neither end probed, the count assumes that the client does."
)
BETWEEN = "  "


def write_text(advice: Advice, width: int, out: TextIO) -> None:
    """Write it for a terminal, or a page, of this many columns."""
    lines = _wrapped(advice.conclusion, width)
    if advice.failures and len(advice.replays) > 1:
        lines += ["", *_table(advice, width), "", *_wrapped(LEGEND, width)]
    if advice.failures:
        lines += ["", "What failed"]
        for kind in NAMES:
            for text in _of_kind(advice, kind):
                lines += _wrapped(text, width, "  ", "    ")
    if advice.limits or advice.notes:
        lines += ["", "Limits"]
        for text in (*map(_limit, advice.limits[:LIMITS_LISTED]), *advice.notes[:LIMITS_LISTED]):
            lines += _wrapped(f"{text}.", width, "  ", "    ")
        more = max(len(advice.limits) - LIMITS_LISTED, 0) + max(len(advice.notes) - LIMITS_LISTED, 0)
        if more:
            lines.append(f"  and {more} more (--format json lists them)")
    out.write("\n".join(lines) + "\n")


def write_json(advice: Advice, out: TextIO) -> None:
    """Write one object: times in seconds, settings as text and in parts."""
    json.dump({"schema_version": 1, **_plain(advice)}, out, indent=2)
    out.write("\n")


def _plain(value: Any) -> Any:
    """Dataclasses and named tuples as objects, times to a millisecond."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value


def _wrapped(text: str, width: int, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _table(advice: Advice, width: int) -> list[str]:
    """A row for each setting; where that does not fit, a line for each cell."""
    kinds = [kind for kind in HEADINGS if any(failure.kind is kind for failure in advice.failures)]
    rows = [["settings", *(HEADINGS[kind] for kind in kinds), "probes per hour"]]
    for one in advice.replays:
        name = "as seen" if one.settings is None else str(one.settings)
        cells = [_cell(advice, one, kind) for kind in kinds]
        rows.append([name, *cells, "?" if one.probes_per_hour is None else f"{one.probes_per_hour:,.0f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + len(BETWEEN) * (len(widths) - 1) <= width:
        return [BETWEEN.join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines = []
    for row in rows[1:]:
        lines.append(row[0])
        lines += [f"  {name:{max(map(len, rows[0]))}}  {cell}" for name, cell in zip(rows[0][1:], row[1:], strict=True)]
    return lines


def _cell(advice: Advice, one: Replay, kind: Kind) -> str:
    """What settings make of all failures of a kind."""
    places = [place for place, failure in enumerate(advice.failures) if failure.kind is kind]
    failures = [advice.failures[place] for place in places]
    outcomes = [one.outcomes[place] for place in places]
    if kind is Kind.IDLE_DROP:
        return _avoided(outcomes, sum(len(failure.streams) for failure in failures))
    if one.settings is None:
        return "no probe" if kind is Kind.UNPROTECTED else _noticed(failures)
    delays = [outcome.noticed for outcome in outcomes if outcome.noticed is not None]
    if not delays:
        return "no help"
    text = _seconds(max(delay.nominal for delay in delays))
    text = f"within {text}" if kind is Kind.LOST_STATE else text
    return f"{text}, slower" if set(places) & set(one.slower) else text


def _avoided(outcomes: Sequence[Outcome], total: int) -> str:
    unknown = sum(outcome.unknown for outcome in outcomes)
    return f"{sum(outcome.avoided for outcome in outcomes)} of {total}" + (f", {unknown} unknown" if unknown else "")


def _noticed(failures: Sequence[Failure]) -> str:
    """What happened."""
    known = _widest([failure.noticed for failure in failures])
    unnoticed = sum(failure.unnoticed for failure in failures)
    if known is None:
        return f"not in {_seconds(max(failure.watched for failure in failures))}"
    return f"{_range(known)}, {unnoticed} not" if unnoticed else _range(known)


def _of_kind(advice: Advice, kind: Kind) -> Iterator[str]:
    """The failures of a kind, a line for each of the largest and one for the rest."""
    places = [place for place, failure in enumerate(advice.failures) if failure.kind is kind]
    for place in places[:LISTED_OF_KIND]:
        yield f"{_told(advice.failures[place])}.{_why(advice, place)}"
    rest = [advice.failures[place] for place in places[LISTED_OF_KIND:]]
    if rest:
        yield f"{_told(_together(rest))}."


def _together(failures: Sequence[Failure]) -> Failure:
    """Several failures of one kind as one."""
    services = len({failure.service for failure in failures})
    return replace(
        failures[0],
        service=several(services, "more service"),
        streams=tuple(stream for failure in failures for stream in failure.streams),
        settings="",
        noticed=_widest([failure.noticed for failure in failures]),
        unnoticed=sum(failure.unnoticed for failure in failures),
        watched=max(failure.watched for failure in failures),
        silence=_widest([failure.silence for failure in failures]),
        survived=None,
    )


def _widest(times: Sequence[Between | None]) -> Between | None:
    known = [one for one in times if one is not None]
    return Between(min(one.shortest for one in known), max(one.longest for one in known)) if known else None


def _told(failure: Failure) -> str:
    """One failure, in a sentence."""
    head = f"{NAMES[failure.kind]}: {connections(len(failure.streams))} to {failure.service}"
    with_settings = f" with {failure.settings}" if failure.settings else ""
    if failure.kind is Kind.UNPROTECTED:
        return f"{head}, silent for up to {_seconds(failure.watched)} at the end, no probe seen"
    if failure.kind in (Kind.IDLE_DROP, Kind.LOST_STATE) and failure.silence is not None:
        survived = f"; {_seconds(failure.survived)} was survived" if failure.survived else ""
        return f"{head}, lost after {_range(failure.silence)} of silence{with_settings}{survived}"
    if not failure.helped:
        return head
    if failure.noticed is None:
        return f"{head}, not noticed in the {_seconds(failure.watched)} until the capture ended{with_settings}"
    verb = "resent until" if failure.kind is Kind.UNACKNOWLEDGED_DATA else "noticed"
    rest = f"; {failure.unnoticed} not noticed until the capture ended" if failure.unnoticed else ""
    return f"{head}, {verb} {_range(failure.noticed)} after the peer's last packet{with_settings}{rest}"


def _why(advice: Advice, place: int) -> str:
    """What limits all settings, or those that were tried, where the table does not say so."""
    if advice.failures[place].kind in (Kind.UNPROTECTED, Kind.LOST_STATE):
        return ""
    whys = [one.outcomes[place].why for one in advice.replays if one.outcomes[place].why]
    return f" {whys[0][0].upper()}{whys[0][1:]}." if whys else ""


def _limit(limit: Limit) -> str:
    above = f"more than {_seconds(limit.survived)} and " if limit.survived else ""
    names = f" ({', '.join(limit.devices)})" if limit.devices else ""
    return (
        f"A device between {limit.client} and {limit.server} drops connections after {above}at most "
        f"{_seconds(limit.fatal)} of silence{names}: set an idle time of at most {limit.safe_idle} s"
    )


def _range(times: Between) -> str:
    shortest, longest = _seconds(times.shortest), _seconds(times.longest)
    if shortest == longest:
        return longest
    if longest.endswith(" s") and "min" not in longest:
        shortest = shortest.removesuffix(" s")
    return f"{shortest} to {longest}"


def _seconds(seconds: float) -> str:
    return duration(round(seconds * SECOND)).replace(".0 s", " s")
