"""The limits on time and memory that the analyzer promises, and whether measurements hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from measure import Usage, median_ratio, pairwise_ratio, spread

OURS, OURS_JSON, OURS_ONE = "ours", "ours-json", "one-thread"
TSHARK, TCPTRACE, TCPDUMP, NFSTREAM, UNPACK = "tshark", "tcptrace", "tcpdump", "nfstream", "unpack"
MEGABYTE = 1_000_000


class Subject(NamedTuple):
    """One tool on one capture."""

    capture: str
    tool: str


Measurements = Mapping[Subject, list[Usage]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a subject's metric, a multiple of the reference's or, without one, bytes."""

    subject: Subject
    metric: str
    bound: float
    reference: Subject | None = None
    or_else: Subject | None = None  # another reference: the slower one counts


@dataclass(frozen=True, slots=True)
class Verdict:
    """A limit with the measured ratio or bytes and the median pairwise ratio; None if not measured."""

    limit: Limit
    measured: float | None
    pairwise: float | None

    @property
    def held(self) -> bool | None:
        """Whether the measured value is within the bound, None if there is none."""
        return None if self.measured is None else self.measured <= self.limit.bound


LIMITS = (
    Limit(Subject("5k", OURS), "wall", 1.0, Subject("5k", TSHARK)),
    Limit(Subject("1m", OURS), "wall", 0.1, Subject("1m", TSHARK)),
    Limit(Subject("1m", OURS), "wall", 1.0, Subject("1m", TCPTRACE)),
    # Of a million packets, two thirds of the time are Python's start, imports and the findings.
    Limit(Subject("1m", OURS), "wall", 3.0, Subject("1m", TCPDUMP)),
    Limit(Subject("10m", OURS), "wall", 0.2, Subject("10m", TCPTRACE)),
    # As fast as tcpdump; on a busy machine two threads lose a little to each other.
    Limit(Subject("10m", OURS), "wall", 1.1, Subject("10m", TCPDUMP)),
    Limit(Subject("10m", OURS_ONE), "wall", 1.6, Subject("10m", TCPDUMP)),
    Limit(Subject("10m", OURS_JSON), "wall", 3.2, Subject("10m", OURS)),
    Limit(Subject("10m", OURS_JSON), "rss", 1.25, Subject("10m", OURS)),
    Limit(Subject("10m", OURS), "rss", 1.4, Subject("1m-50k", OURS)),
    # A hundred times as many packets, in at most 1.3 times as long each.
    Limit(Subject("100m", OURS), "wall", 130, Subject("1m", OURS)),
    Limit(Subject("100m", OURS), "wall", 1.5, Subject("100m", TCPDUMP)),
    Limit(Subject("100m", OURS), "rss", 1000 * MEGABYTE),
    *(Limit(Subject(capture, OURS), "rss", 300 * MEGABYTE) for capture in ("5k", "1m", "1m-50k", "10m")),
    Limit(Subject("10m", OURS_JSON), "rss", 300 * MEGABYTE),
    *(
        Limit(Subject(capture, OURS), "wall", 1.5, Subject("3m", OURS))
        for capture in ("3m-pcapng", "3m-ipv6-vlan", "3m-vxlan")
    ),
    *(
        # Unpacking is a third thread, where two processors are.
        Limit(Subject(capture, OURS), "wall", 1.6, Subject(capture, UNPACK), Subject("10m", OURS))
        for capture in ("10m-gzip", "10m-zstd")
    ),
)


def judge(limit: Limit, measurements: Measurements) -> Verdict:
    """Return the verdict on one limit."""
    ours = measurements.get(limit.subject)
    if not ours:
        return Verdict(limit, None, None)
    if limit.reference is None:
        return Verdict(limit, spread(ours, limit.metric).maximum, None)
    peer = measurements.get(limit.reference)
    other = measurements.get(limit.or_else) if limit.or_else is not None else None
    if peer and other:
        peer = max(peer, other, key=lambda runs: spread(runs, limit.metric).median)
    if not peer:
        return Verdict(limit, None, None)
    return Verdict(limit, median_ratio(ours, peer, limit.metric), pairwise_ratio(ours, peer, limit.metric))


def verdicts(measurements: Measurements) -> list[Verdict]:
    """Return the verdicts on all limits of the captures that were measured."""
    captures = {subject.capture for subject in measurements}
    return [judge(limit, measurements) for limit in LIMITS if limit.subject.capture in captures]
