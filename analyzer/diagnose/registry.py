"""The rules: one file each in rules/, registered by decorator, their docstrings the text of `keepalive explain`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from analyzer.layout import EVENT_ENDPOINT, EVENT_FRAME, EVENT_KIND
from analyzer.model import SEVERITIES, Facts, Finding, Flow, Mask

MAX_FRAMES = 20


class Context(NamedTuple):
    """What a rule may ask besides the connection itself."""

    facts: Facts
    frame_text: Callable[[int], str]

    def event_frames(self, stream: int, kind: int) -> tuple[int, ...]:
        """The frames of this connection's events of one kind (layout.EVENT_*), in order."""
        events = self.facts.tracks.events
        chosen = events[(events[:, EVENT_ENDPOINT] >> 1 == stream) & (events[:, EVENT_KIND] == kind)]
        return tuple(chosen[:, EVENT_FRAME].tolist())


class Rule(NamedTuple):
    """A rule looks only at connections with one of its verdicts, or where `where` holds; it yields what it finds."""

    name: str
    severity: str
    verdicts: tuple[str, ...]
    where: Callable[[Facts], Mask] | None
    find: Callable[[Flow, Context], Iterator[Finding]]

    @property
    def explanation(self) -> str:
        """What the finding means and how to mend it."""
        return self.find.__doc__ or ""


RULES: dict[str, Rule] = {}


def rule(
    name: str, *, severity: str, verdicts: tuple[str, ...] = (), where: Callable[[Facts], Mask] | None = None
) -> Callable[..., Callable[..., Iterator[Finding]]]:
    """Register a rule under its name; it runs on connections with these verdicts, and on those where `where` holds."""

    def register(function: Callable[[Flow, Context], Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
        RULES[name] = Rule(name, severity, verdicts, where, function)
        return function

    return register


def load_rules() -> dict[str, Rule]:
    """All rules, by name."""
    package = importlib.import_module("analyzer.diagnose.rules")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return RULES


def find(verdicts: list[str], facts: Facts, flow_of: Callable[[int], Flow], context: Context) -> list[Finding]:
    """All findings, the most severe first."""
    findings: list[Finding] = []
    streams_by_verdict: dict[str, list[int]] = {}
    for stream, word in enumerate(verdicts):
        streams_by_verdict.setdefault(word, []).append(stream)
    for one in load_rules().values():
        streams = {stream for word in one.verdicts for stream in streams_by_verdict.get(word, ())}
        if one.where is not None:
            streams.update(one.where(facts).nonzero()[0].tolist())
        for stream in sorted(streams):
            findings.extend(one.find(flow_of(stream), context))
    return sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity))


def frames_filter(frames: Iterable[int], context: Context) -> str:
    """A Wireshark display filter that selects these frames of the file they are in."""
    numbers = [context.frame_text(frame).rpartition(":")[2] for frame in frames]
    return f"frame.number in {{{', '.join(numbers)}}}" if numbers else ""
