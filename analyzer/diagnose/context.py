"""What a rule may ask: of all connections in columns, and of one as a Flow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analyzer.diagnose.attempts import find_scans
from analyzer.diagnose.groups import by_service, by_service_and_path
from analyzer.diagnose.holders import processes_of
from analyzer.diagnose.hops import reset_hops
from analyzer.diagnose.idle_timeouts import Memory, find_memories, safe_idle_times
from analyzer.diagnose.limits import Closings, Limit, age_limits, all_closings, idle_limits
from analyzer.diagnose.lost import Lost, lost_probes
from analyzer.diagnose.silence import Silence
from analyzer.diagnose.unprobed import overdue
from analyzer.diagnose.verdicts import VERDICTS
from analyzer.diagnose.waits import TellingWaits, telling_waits
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Facts
from analyzer.model.findings import Apart
from analyzer.model.flows import Endpoint, Flow
from analyzer.model.quantities import connections
from analyzer.tables.arrays import Column, Mask, Narrow, distinct


@dataclass(frozen=True)
class Context:
    """What a rule may ask: of all connections in columns, of one as a Flow."""

    captures: Sequence[CaptureFacts]
    facts: Facts
    verdicts: Narrow  # places in VERDICTS
    idle_after: int  # nanoseconds
    flow: Callable[[int], Flow]
    ends: Callable[[int], tuple[Endpoint, Endpoint]]  # client and server of one: much sooner than its Flow
    flows: Callable[[Sequence[int]], Iterator[Flow]]  # of many connections, in their order: sooner than one by one
    frame_text: Callable[[int], str]
    apart: Sequence[Apart] = ()  # what only one of two captures of a path holds

    def judged(self, *words: str) -> Column:
        """The streams with one of these verdicts, in order; raises ValueError for a word that is none."""
        known = [verdict.word for verdict in VERDICTS]
        mask = np.zeros(len(self.verdicts), bool)
        for word in words:
            mask |= self.verdicts == known.index(word)
        return np.flatnonzero(mask)

    def where(self, capture: int) -> str:
        """Words for which capture it is, where there are several."""
        return f" of {self.name_of(capture)}" if len(self.captures) > 1 else ""

    def name_of(self, capture: int) -> str:
        """The name of a capture file, with its directory where two have the same name."""
        names = [Path(facts.path).name for facts in self.captures]
        name = names[capture] if names.count(names[capture]) == 1 else self.captures[capture].path
        return "".join(letter if letter.isprintable() else "?" for letter in name)

    def which(self, capture: int) -> str:
        """The same as the name of a thing."""
        return f"capture {capture}" if len(self.captures) > 1 else "the capture"

    def at_side(self, streams: Column, side: int) -> str:
        """The end of these connections at one side, as `named`; where there are several, how many."""
        several = self.by_service(streams) if side else distinct(self.facts.client[streams])
        if len(several) > 1:
            return f"{len(several)} {('clients', 'services')[side]}"
        client, server = self.ends(int(streams[0]))
        return str(server) if side else client.address

    def whose(self, streams: Column, side: int) -> str:
        """The same, of a single connection with its port on either side."""
        if len(streams) > 1:
            return self.at_side(streams, side)
        return str(self.ends(int(streams[0]))[side])

    def of(self, streams: Column, side: int) -> str:
        """These connections as the end at one side has them: `3 connections to ADDRESS:PORT`, `... from ADDRESS`."""
        return f"{connections(len(streams))} {('to', 'from')[side]} {self.at_side(streams, 1 - side)}"

    def processes(self, streams: Sequence[int]) -> str:
        """Who holds the sockets of these connections, where that is known: the first few, each with its descriptors."""
        return processes_of(self.facts.held, streams)

    @functools.cached_property
    def silence(self) -> Silence:
        """What other connections show about the silence on each."""
        return Silence(self.facts)

    @functools.cached_property
    def waits(self) -> TellingWaits:
        """First probes after a silence of two seconds at most, or of two hours."""
        return telling_waits(self.facts)

    @functools.cached_property
    def scans(self) -> list[Column]:
        """Connections that were not made because somebody looked for what there is, by who did."""
        return find_scans(self.facts)

    @functools.cached_property
    def lost(self) -> Lost:
        """Probes without an answer for which there is another reason than a dead peer."""
        return lost_probes(self.facts)

    @functools.cached_property
    def memories(self) -> list[Memory]:
        """Paths with a device that forgets idle connections."""
        return find_memories(self.facts, self.judged, self.silence, self.idle_limits)

    @functools.cached_property
    def overdue(self) -> Mask:
        """Which connections are unprotected, and silent for longer than any usual keepalive is: (flows,)."""
        streams = self.judged("unprotected")
        late = np.zeros(len(self.facts), bool)
        late[streams[overdue(self, streams)]] = True
        return late

    @functools.cached_property
    def safe_idle(self) -> Column:
        """The idle time, in seconds, that keeps devices on each path from forgetting; UNLIMITED where none is seen."""
        return safe_idle_times(self.memories, len(self.facts))

    @functools.cached_property
    def reset_hops(self) -> Narrow:
        """Whether the RST of each connection came as far as its sender's other packets: see `hops`."""
        return reset_hops(self.facts)

    @functools.cached_property
    def idle_limits(self) -> list[Limit]:
        """Services of which one side ends connections that were idle for so long."""
        return idle_limits(self.facts, self.closings, self.reset_hops)

    @functools.cached_property
    def age_limits(self) -> list[Limit]:
        """Services of which one side ends connections at one age."""
        return age_limits(self.facts, self.closings, self.reset_hops)

    @functools.cached_property
    def closings(self) -> Closings:
        """Who closed each connection of its own accord, and after how long."""
        return all_closings(self.facts)

    def by_service(self, streams: Column) -> list[Column]:
        """These streams, gathered by the server's address and port."""
        return by_service(self.facts, streams)

    def by_service_and_path(self, streams: Column, least: int = 1) -> list[Column]:
        """These streams, gathered by the addresses of client and server and the server's port: so many at the least."""
        return by_service_and_path(self.facts, streams, least)
