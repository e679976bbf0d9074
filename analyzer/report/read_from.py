"""What was read: a line for each capture, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.model.captures import CaptureFacts, span_of
from analyzer.model.quantities import duration
from analyzer.report.layout import Layout, printable
from analyzer.report.times import clock, zone
from analyzer.tables.fields import SKIP_REASONS, UNSUPPORTED_LINK_TYPE
from analyzer.tcp import SECOND
from analyzer.wire import DECODED_NAMES

MANY = 12  # captures: more are one line together, besides those with a problem
LINK_TYPE_REASON = tuple(SKIP_REASONS)[UNSUPPORTED_LINK_TYPE]


def capture_lines(captures: Sequence[CaptureFacts], layout: Layout) -> Iterator[str]:
    """What each capture holds, and what is to be known of it before the rest is believed."""
    many = len(captures) > MANY
    if many:
        yield _total_line(captures, layout)
    for facts in captures:
        unread = _not_understood(facts)
        if many and not facts.problems and not facts.same_traffic_why and not unread:
            continue
        yield _capture_line(facts, layout)
        if facts.same_traffic is not None:
            yield f"  {_same_traffic(facts, captures)}"
        if unread:
            yield f"  {unread}"
        if facts.same_traffic_why:
            yield f"  {printable(facts.same_traffic_why)}"
        for problem in facts.problems:
            where = f"damaged at byte {problem.offset}: " if facts.format else ""
            yield f"  {where}{problem.reason}"


def _capture_line(facts: CaptureFacts, layout: Layout) -> str:
    path = printable(facts.path)
    if facts.first_time is None or facts.last_time is None:
        return f"{path}: no packets" if facts.format else f"{path}: not read"
    skipped = sum(facts.skipped.values())
    parts = [
        f"{facts.packets} packets",
        f"{facts.tcp_packets} TCP",
        *([f"{skipped} other"] if skipped else []),
        *([f"{facts.duplicates} captured twice"] if facts.duplicates else []),
    ]
    when = f"{clock(facts.first_time, layout.utc)} {zone(facts.first_time, layout.utc)}"
    return f"{path}: {', '.join(parts)}; {duration(facts.last_time - facts.first_time)} from {when}"


def _not_understood(facts: CaptureFacts) -> str:
    """Why packets were passed over: those of a link type that is not decoded, and all where none is TCP."""
    undecoded = facts.skipped.get(LINK_TYPE_REASON, 0)
    if undecoded:
        names = [name for name in facts.link_types if name not in DECODED_NAMES] or facts.link_types
        return f"{undecoded} packet{'s' * (undecoded != 1)} of link type {', '.join(names)}, which is not decoded"
    if facts.tcp_packets or not facts.skipped:
        return ""
    reasons = sorted(facts.skipped.items(), key=lambda item: -item[1])
    return f"no TCP: {'; '.join(f'{count} x {SKIP_REASONS[reason]}' for reason, count in reasons)}"


def _total_line(captures: Sequence[CaptureFacts], layout: Layout) -> str:
    """A rotated set in one line."""
    first, last = span_of(captures)
    text = f"{len(captures)} captures: {sum(facts.packets for facts in captures)} packets"
    if not any(facts.packets for facts in captures):
        return text
    tcp = sum(facts.tcp_packets for facts in captures)
    when = f"{clock(first, layout.utc)} {zone(first, layout.utc)}"
    return f"{text}, {tcp} TCP; {duration(last - first)} from {when}"


def _same_traffic(facts: CaptureFacts, captures: Sequence[CaptureFacts]) -> str:
    """What is to be said of a capture that holds the same traffic as another."""
    assert facts.same_traffic is not None
    other, ahead = printable(captures[facts.same_traffic.capture].path), facts.same_traffic.clock_ahead
    text = f"the same traffic as in {other}, each packet counted once"
    if not facts.clock_shift:
        return text
    return f"{text}; its clock is {abs(ahead) / SECOND:.6f} s {'ahead' if ahead > 0 else 'behind'}, and was set right"
