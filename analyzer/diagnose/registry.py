"""The rules: one file each in rules/, registered by decorator, their docstrings the text of `keepalive explain`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analyzer.layout import EVENT_ENDPOINT, EVENT_FRAME, EVENT_KIND
from analyzer.model import SEVERITIES, Column, Facts, Finding, Flow, Mask

MAX_FRAMES = 20


@dataclass(frozen=True)
class Context:
    """What a rule may ask besides the connection itself."""

    facts: Facts
    frame_text: Callable[[int], str]

    def event_frames(self, stream: int, kind: int) -> tuple[int, ...]:
        """The frames of this connection's events of one kind (layout.EVENT_*), in order."""
        order, streams = self._events_by_stream
        first, end = np.searchsorted(streams, (stream, stream + 1)).tolist()
        events = self.facts.tracks.events[order[first:end]]
        return tuple(events[events[:, EVENT_KIND] == kind, EVENT_FRAME].tolist())

    @functools.cached_property
    def _events_by_stream(self) -> tuple[Column, Column]:
        """The rows of the events gathered by stream, and the stream of each."""
        streams = self.facts.tracks.events[:, EVENT_ENDPOINT] >> 1
        order = np.argsort(streams, kind="stable")
        return order, streams[order]


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


def frames_filter(frames: Iterable[int], flow: Flow, context: Context) -> str:
    """A Wireshark display filter that selects these frames of the file they are in.

    A frame number means another packet in another file: where the frames are of several files, the filter selects
    their connection, in whichever of them.
    """
    files, numbers = zip(*(context.frame_text(frame).rpartition(":")[::2] for frame in frames), strict=True)
    if len(set(files)) == 1:
        return f"frame.number in {{{', '.join(numbers)}}}"
    ip = "ipv6" if ":" in flow.client.address else "ip"
    ends = (f"{ip}.addr == {end.address} && tcp.port == {end.port}" for end in (flow.client, flow.server))
    return " && ".join(ends)
