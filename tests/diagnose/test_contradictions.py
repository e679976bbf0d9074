"""No table of the tracker, however extreme or contradictory, is more than a rule, a verdict or a summary bears."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from conversation import CLIENT, SERVER, Conversation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observe import analyzed
from test_rules import FIRES, NEAR_MISSES

from analyzer.analysis import Analysis
from analyzer.diagnose import load_rules
from analyzer.measure import measure
from analyzer.model.captures import CaptureFacts
from analyzer.model.columns import Tracks
from analyzer.tables import fields as layout

NANO = 10**9
NOW = 1_700_000_000 * NANO
# What these fields hold is no place in another table, so that it may be anything.
HEAD: tuple[str, ...] = (
    "END_TIME",
    "REQUEST_TIME",
    "REQUEST_FRAME",
    "OPEN_GAP",
    "OPEN_GAP_END",
    "LONGEST_GAP",
    "FIRST_TIME",
)
HEAD += ("FIRST_FRAME", "HANDSHAKE", "HANDSHAKE_RTT", "RESET_WHY", "RESET_TIME", "RESET_FRAME", "ROLES")
END: tuple[str, ...] = (
    "KNOWN",
    "NXT",
    "UNA",
    "LAST_RX",
    "RUN",
    "RESENT",
    "LAST_TIME",
    "LAST_WINDOW",
    "PACKETS",
    "BYTES",
)
END += ("ADVANCE_TIME", "FIN_TIME", "FIN_FRAME", "RESENT_FIRST", "RESENT_LAST", "RESENT_GAP")
END += ("ZERO_SINCE", "MIN_RTT", "BEAT_LAST", "BEAT_GAPS", "LAST_DATA", "FIN_END", "ISN")
PROBE = ("PROBE_FRAME", "PROBE_TIME", "PROBE_SINCE", "ANSWER_FRAME", "ANSWER_TIME")
EVENT = ("EVENT_FRAME", "EVENT_TIME", "EVENT_TTL", "EVENT_WHY", "EVENT_SINCE", "EVENT_COUNT")
VALUES = st.one_of(
    st.sampled_from([0, 1, -1, 2, 3, NANO, NOW, NOW - 1, NOW + 86_400 * NANO, NOW + 10**17, layout.NEVER, -NOW]),
    st.integers(-(1 << 40), 1 << 40),
)
CHANGE = st.tuples(st.sampled_from(["head", "end", "probe", "event", "mark"]), st.integers(0, 40), st.integers(0, 40))


@cache
def tables() -> dict[str, tuple[Tracks, int]]:
    """What the tracker makes of everything that rules are tested with."""
    found = {}
    for name, talks in [*FIRES.items(), *((f"no {name}", talks) for name, talks in NEAR_MISSES.items())]:
        facts = analyzed(*talks()).facts
        found[name] = facts.tracks, facts.end
    return found


def perturbed(tracks: Tracks, changes: list[tuple[tuple[str, int, int], int]]) -> Tracks:
    """The same tables with some fields changed."""
    flows, probes, events = (table.copy() for table in tracks)
    for (part, row, field), value in changes:
        if part == "head" and len(flows):
            flows[row % len(flows), getattr(layout, HEAD[field % len(HEAD)])] = value
        elif part == "end" and len(flows):
            at = layout.HEAD_SIZE + row % 2 * layout.ENDPOINT_SIZE
            flows[row % len(flows), at + getattr(layout, END[field % len(END)])] = value
        elif part == "probe" and len(probes):
            probes[row % len(probes), getattr(layout, PROBE[field % len(PROBE)])] = value
        elif part == "event" and len(events):
            events[row % len(events), getattr(layout, EVENT[field % len(EVENT)])] = value
        elif part == "mark" and len(probes):
            probes[row % len(probes), layout.PROBE_MARKS] ^= 1 << field % layout.MARK_BITS
    if len(flows):
        flows[:, layout.ROLES] &= (1 << 62) - 1
        runs = layout.HEAD_SIZE + layout.RUN
        flows[:, runs :: layout.ENDPOINT_SIZE] = np.clip(flows[:, runs :: layout.ENDPOINT_SIZE], 0, 1 << 20)
    events[:, layout.EVENT_TTL] &= 0xFF
    flows[:, layout.HEAD_SIZE + layout.KNOWN :: layout.ENDPOINT_SIZE] &= (1 << layout.KNOWN_TUNNEL) - 1
    return Tracks(flows, probes, events)


def tell(tracks: Tracks, end: int, captures: list[CaptureFacts]) -> None:
    """Everything that is said of them."""
    with np.errstate(all="ignore"):
        analysis = Analysis(captures, measure(tracks, end), 10 * NANO)
        for finding in analysis.findings:
            assert finding.rule in load_rules()
            assert finding.summary
        hosts = analysis.hosts()
        flows = list(analysis.flows)
        assert len(flows) == len(tracks.flows) == len(analysis.verdicts)
        for flow in flows:
            assert all(len(entry.profiles) >= 0 for entry in flow.keepalive)
        assert all(host.streams for host in hosts)
        assert analysis.to_json()


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    name=st.sampled_from([*FIRES, *(f"no {name}" for name in NEAR_MISSES)]),
    changes=st.lists(st.tuples(CHANGE, VALUES), max_size=12),
    end=st.one_of(st.none(), VALUES),
    captures=st.integers(0, 2),
)
def test_contradictory_facts_break_no_rule(name: str, changes: list[Any], end: int | None, captures: int) -> None:
    tracks, truly = tables()[name]
    facts = [CaptureFacts(f"{number}.pcap", duplicates=20 * number) for number in range(captures)]
    tell(perturbed(tracks, changes), truly if end is None else end, facts)


@pytest.mark.parametrize("name", FIRES)
@pytest.mark.parametrize("value", [0, layout.NEVER, NOW + 10**17])
def test_all_times_alike(name: str, value: int) -> None:
    tracks, _ = tables()[name]
    flows, probes, events = (table.copy() for table in tracks)
    flows[:, [getattr(layout, field) for field in HEAD if "TIME" in field or "GAP" in field]] = value
    for field in END:
        if "TIME" in field or field.startswith(("RESENT_", "LAST_D", "LAST_R", "BEAT", "ZERO")):
            flows[:, layout.HEAD_SIZE + getattr(layout, field) :: layout.ENDPOINT_SIZE] = value
    probes[:, [layout.PROBE_TIME, layout.PROBE_SINCE, layout.ANSWER_TIME]] = value
    events[:, [layout.EVENT_TIME, layout.EVENT_SINCE]] = value
    tell(Tracks(flows, probes, events), value, [])


def test_a_log_without_a_row_is_no_finding() -> None:
    tracks, end = tables()["dead-peer"]
    flows = tracks.flows.copy()
    for side in range(2):
        flows[:, layout.HEAD_SIZE + side * layout.ENDPOINT_SIZE + layout.LAST_PROBE] = 0
    tell(Tracks(flows, tracks.probes[:0], tracks.events[:0]), end, [])
    tell(Tracks(flows[:0], tracks.probes[:0], tracks.events[:0]), end, [])


def test_a_log_that_an_endpoint_forgot_is_shown_all_the_same() -> None:
    """A SYN on the addresses and ports of a connection begins another; probes held back of the first stay its own."""
    tracks, end = tables()["dead-peer"]
    flows = tracks.flows.copy()
    for side in range(2):
        flows[:, layout.HEAD_SIZE + side * layout.ENDPOINT_SIZE + layout.LAST_PROBE] = 0
    analysis = Analysis([], measure(replace_flows(tracks, flows), end), 10 * NANO)
    [flow] = analysis.flows
    assert [entry.probes for entry in flow.keepalive] == [4]


def replace_flows(tracks: Tracks, flows: Any) -> Tracks:
    return tracks._replace(flows=flows)


def probed(port: int, service: int, every: float, idle: float | None = None) -> Conversation:
    """A connection to a service whose client probes so often, answered."""
    talk = Conversation(ports=(port, service)).handshake().data(CLIENT, 100).data(SERVER, 300)
    talk.idle(every if idle is None else idle)
    return talk.probes(CLIENT, 12, every=every)


def test_each_service_is_told_its_own_pace() -> None:
    found = analyzed(probed(40_000, 5432, 1.02), probed(40_001, 6379, 2.05)).findings
    said = [one.summary for one in found if one.rule == "aggressive-keepalive"]
    assert [("every 1.0 s" in one, "every 2.0 s" in one or "every 2.1 s" in one) for one in sorted(said)] == [
        (True, False),
        (False, True),
    ]


def test_each_service_is_told_its_own_two_hours() -> None:
    talks = [probed(40_000, 5432, 7230, 7230), probed(40_001, 6379, 7405, 7405)]
    found = [one for one in analyzed(*talks).findings if one.rule == "keepalive-at-two-hour-default"]
    assert sorted(one.evidence.observed for one in found) == [
        "a first probe after 2 h 3 min of silence",
        "a first probe after 2 h of silence",
    ]


def test_who_probes_often_only_because_the_answers_do_not_arrive_is_not_aggressive() -> None:
    talk = probed(40_000, 1433, 1.02, 30)
    assert "aggressive-keepalive" not in {one.rule for one in analyzed(talk).findings}


def test_probes_of_no_distance_break_nothing() -> None:
    """Probes at the time of what came before them: a clock that stood still."""
    talk = probed(40_000, 5432, 1.02)
    talk.segments = [replace(segment, time=NOW) for segment in talk.segments]
    assert analyzed(talk).verdicts
