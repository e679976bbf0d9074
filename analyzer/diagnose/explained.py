"""One event, one finding: where several rules speak of the same connection, the best explanation stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analyzer.model.findings import SEVERITIES, Finding

# What each is explained by, the best first; what explains is itself no further than one step from what stands.
EXPLAINED_BY = {
    "dead-peer": (
        "answer-dropped-on-host",
        "middlebox-idle-timeout",
        "lost-between-ends",
        "reset-between-ends",
        "one-way-loss",
        "keepalive-exhausted-but-alive",
    ),
    "keepalive-exhausted-but-alive": (
        "answer-dropped-on-host",
        "middlebox-idle-timeout",
        "lost-between-ends",
        "one-way-loss",
    ),
    "one-way-loss": ("answer-dropped-on-host", "middlebox-idle-timeout", "lost-between-ends"),
    "retransmission-timeout": ("middlebox-idle-timeout", "lost-between-ends", "one-way-loss"),
    "probes-suppressed-by-unacked-data": (
        "middlebox-idle-timeout",
        "lost-between-ends",
        "one-way-loss",
        "retransmission-timeout",
    ),
    "keepalive-slower-than-middlebox": ("middlebox-idle-timeout",),
    "heartbeat-slower-than-middlebox": ("middlebox-idle-timeout",),
    "proxy-idle-close": ("heartbeat-missed",),
    "close-wait-leak": ("heartbeat-missed",),  # what has stopped does not close either
    "middlebox-reset": ("middlebox-idle-timeout", "reset-between-ends"),
    "lost-state": ("middlebox-idle-timeout", "reset-between-ends"),
    "endpoint-reset": (
        "middlebox-idle-timeout",
        "reset-between-ends",
        "age-not-idle",
        "heartbeat-ignored",
        "proxy-idle-close",
        "keepalive-race",
        "too-many-pings",
    ),
}
EXPLAINING = {"dead-peer", *(rule for rules in EXPLAINED_BY.values() for rule in rules)}
# So many are said in full.
NOTES_AT_MOST = 4


def explained(findings: Sequence[Finding]) -> list[Finding]:
    """Those that stand, each with what it explains as notes, and as severe as the most severe of these."""
    about: dict[str, dict[int, int]] = {}  # by rule that explains: which finding is about which stream
    for place, finding in enumerate(findings):
        if finding.rule in EXPLAINING and not _is_a_guess(finding):
            about.setdefault(finding.rule, {}).update(dict.fromkeys(finding.concerned, place))
    noted: dict[int, list[Finding]] = {}
    gone = set()
    for place, finding in enumerate(findings):
        named = (*EXPLAINED_BY.get(finding.rule, ()), *(("dead-peer",) if _is_a_guess(finding) else ()))
        better = [rule for rule in named if rule in about]
        if not better:
            continue
        by = [_best(about, better, stream) for stream in finding.concerned]
        standing = {one for one in by if one is not None}
        if not by or None in by:
            continue
        gone.add(place)
        for one in sorted(standing):
            noted.setdefault(one, []).append(finding)
    return [_with(finding, noted.get(place, ())) for place, finding in enumerate(findings) if place not in gone]


def _is_a_guess(finding: Finding) -> bool:
    """That a path had lost probes before does not outweigh that these were all unanswered."""
    return finding.rule == "keepalive-exhausted-but-alive" and finding.confidence == "possible"


def _best(about: dict[str, dict[int, int]], better: Sequence[str], stream: int) -> int | None:
    for rule in better:
        place = about[rule].get(stream)
        if place is not None:
            return place
    return None


def _with(finding: Finding, others: Iterable[Finding]) -> Finding:
    others = list(others)
    if not others:
        return finding
    severity = max([finding.severity, *(one.severity for one in others)], key=SEVERITIES.index)
    return finding._replace(severity=severity, notes=tuple(_notes(others)))


def _notes(others: list[Finding]) -> list[str]:
    """One line for each rule, of the first that it found."""
    of_rule: dict[str, list[Finding]] = {}
    for one in others:
        of_rule.setdefault(one.rule, []).append(one)
    notes = []
    for rule, some in list(of_rule.items())[:NOTES_AT_MOST]:
        more = f" (and {len(some) - 1} more)" if len(some) > 1 else ""
        notes.append(f"{rule}: {some[0].summary}{more}")
    return notes
