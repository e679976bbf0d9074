"""Show measurements and verdicts, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from limits import MEGABYTE, OURS, OURS_JSON, Limit, Measurements, Subject, Verdict
from measure import METRICS, median_ratio, pairwise_ratio, spread

UNITS = {"wall": 1.0, "cpu": 1.0, "rss": float(MEGABYTE)}
HEADINGS = {"wall": "wall s", "cpu": "user+sys s", "rss": "peak RSS MB"}
HELD = {True: "held", False: "NOT held", None: "not measured"}


def report(measurements: Measurements, judged: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines of the whole report."""
    yield from usage_table(measurements)
    yield ""
    yield from ratio_table(measurements)
    yield ""
    yield from limit_table(judged)


def usage_table(measurements: Measurements) -> Iterator[str]:
    """Yield a line per tool and capture: minimum, median and maximum of every metric."""
    headings = "".join(f"{HEADINGS[metric] + ' min/median/max':>30}" for metric in METRICS)
    yield f"{'capture':8} {'tool':10}{headings}"
    for (capture, tool), usages in measurements.items():
        columns = ""
        for metric in METRICS:
            seen, unit = spread(usages, metric), UNITS[metric]
            columns += f"{seen.minimum / unit:12.3f}{seen.median / unit:9.3f}{seen.maximum / unit:9.3f}"
        yield f"{capture:8} {tool:10}" + columns


def ratio_table(measurements: Measurements) -> Iterator[str]:
    """Yield a line per peer and capture: ours divided by the peer's, medians / median of the run pairs."""
    yield f"{'capture':8} {'ours / peer':10}" + "".join(f"{HEADINGS[metric]:>20}" for metric in METRICS)
    for subject, usages in measurements.items():
        ours = measurements.get(Subject(subject.capture, OURS))
        if ours is None or subject.tool in (OURS, OURS_JSON):
            continue
        columns = (
            f"{median_ratio(ours, usages, metric):.3f} /{pairwise_ratio(ours, usages, metric):7.3f}"
            for metric in METRICS
        )
        yield f"{subject.capture:8} {subject.tool:10} " + "".join(f"{column:>20}" for column in columns)


def limit_table(judged: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line per limit: what is bounded, the bound, the measured value and whether it holds."""
    yield f"{'limit':54} {'at most':>10} {'measured':>10} {'pairwise':>10}"
    for verdict in judged:
        limit = verdict.limit
        numbers = (scaled(limit, number) for number in (limit.bound, verdict.measured, verdict.pairwise))
        columns = " ".join(f"{number:>10}" for number in numbers)
        yield f"{describe(limit):54} {columns}  {HELD[verdict.held]}"


def describe(limit: Limit) -> str:
    """Return the words for what a limit bounds."""
    subject = f"{limit.subject.capture} {limit.subject.tool}"
    if limit.reference is None:
        return f"{subject}, largest {HEADINGS[limit.metric]}"
    return f"{subject} / {limit.reference.capture} {limit.reference.tool}, {HEADINGS[limit.metric]}"


def scaled(limit: Limit, number: float | None) -> str:
    """Return a ratio, or bytes as megabytes, for people."""
    if number is None:
        return "-"
    return f"{number:.3f}" if limit.reference else f"{number / MEGABYTE:.1f} MB"


def as_json(measurements: Measurements, judged: Sequence[Verdict]) -> dict[str, object]:
    """Return every run and every verdict in types that json can write."""
    return {
        "measurements": [
            {"capture": capture, "tool": tool, "runs": [asdict(usage) for usage in usages]}
            for (capture, tool), usages in measurements.items()
        ],
        "limits": [
            {
                "limit": describe(verdict.limit),
                "bound": verdict.limit.bound,
                "measured": verdict.measured,
                "pairwise": verdict.pairwise,
                "held": verdict.held,
            }
            for verdict in judged
        ],
    }
