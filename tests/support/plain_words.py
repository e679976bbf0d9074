"""What is wrong with the words of a finding, and which findings contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

from analyzer.model.findings import Finding

FIX_AT_MOST = 140
# What no text says: words of no manual, and numbers that say nothing.
WORDS = re.compile(
    r"\b(octets?|folders?|[Mm]ends?|in vain|is told|tells what|for good|for ever|befell|meanwhile|at hand|alike|as to|"
    r"who knows|stands(?! for)|a RST|asks? after|heard)\b"
)
# Those, what is said of nobody whose packets are missing, and numbers that say nothing.
BANNED = re.compile(WORDS.pattern + r"|\bgone\b|\b0\.0 s|\b[2-9]\d{2,}\.\d s|(?<![.])\b1 times\b")


def fix_of(finding: Finding) -> str:
    """The sentence that is shown alone."""
    return re.split(r"(?<=[.])\s", finding.remedy)[0]


def idle_times(finding: Finding) -> set[int]:
    """The idle times that it proposes for a socket."""
    return {int(number) for number in re.findall(r"TCP_KEEPIDLE[= ](\d+)", finding.remedy)}


def opposed(findings: Sequence[Finding]) -> Iterable[tuple[Finding, Finding]]:
    """Pairs about one connection of which one would have probes sooner than it has, and the other later."""
    for one, other in combinations(findings, 2):
        if set(one.concerned) & set(other.concerned):
            raised = {"Raise the prober's idle time" in each.remedy for each in (one, other)}
            set_to = [idle_times(each) for each in (one, other)]
            if (True in raised and any(set_to)) or (all(set_to) and set_to[0] != set_to[1]):
                yield one, other


def faults(finding: Finding) -> list[str]:
    """What a reader would stumble over."""
    evidence = finding.evidence
    texts = (finding.summary, finding.remedy, evidence.observed, evidence.expected, evidence.source)
    found = [f"not plain: {text}" for text in texts if BANNED.search(text)]
    if len(fix_of(finding)) > FIX_AT_MOST:
        found.append(f"too long to stand alone: {fix_of(finding)}")
    if not finding.remedy.endswith(".") or finding.summary.endswith("."):
        found.append(f"full stops: {finding.summary} {finding.remedy}")
    if re.search(r"\.\.|  | \.|;\.|;;", finding.remedy):
        found.append(f"punctuation: {finding.remedy}")
    return found
