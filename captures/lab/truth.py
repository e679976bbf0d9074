"""The truth about a recording, from what the script set, the kernel's counters and tables, and far ends."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import dictated
from endpoints import Endpoint, Keepalive, Talk
from kernel import release, timer_hz
from recorder import SAME_PACKET_S, Segment, read_segments, without_repeats
from stage import Stage

ROLES = ("client", "server")
# One packet passes all the taps of the lab within this time, even on a busy machine.
SAME_PASSAGE_S = 0.15


@dataclass
class Sighting:
    """One probe as its sender's own tap saw it, and as the published recording has it."""

    sent: Segment
    published: Segment | None
    zero_window: bool
    fate: str | None = None


@dataclass
class Evidence:
    """All that was seen of one connection."""

    talk: Talk
    published: list[Segment]
    probes: dict[str, list[Sighting]]

    def keepalives(self, role: str) -> list[Sighting]:
        """The published keepalive probes of one sender."""
        return [one for one in self.probes[role] if one.published and not one.zero_window]

    def window_probes(self, role: str) -> list[Sighting]:
        """The published zero-window probes of one sender."""
        return [one for one in self.probes[role] if one.published and one.zero_window]


def gather(stage: Stage) -> list[Evidence]:
    """The evidence of each connection that the published recording shows, in its order."""
    twice = stage.scenario.capture.second is not None
    published = without_repeats(recorded(stage), SAME_PASSAGE_S + stage.one_way_s if twice else SAME_PACKET_S)
    # A host that tunnels sees its packets inside and outside.
    witness = {role: without_repeats(read_segments(stage.witness_path(role))) for role in ROLES}
    found = []
    for talk in stage.talks:
        ends = _lifetime(talk, stage.talks)
        own = of_talk(published, talk, ends)
        if own:
            passage = SAME_PASSAGE_S + stage.one_way_s
            probes = {}
            for role in ROLES:
                seen = of_talk(witness["server" if talk.translated else role], talk, ends)
                probes[role] = _sightings(talk.end(role), seen, own, passage)
            for role, other in (ROLES, ROLES[::-1]):
                _judge(probes[role], probes[other], own)
                if stage.one_way_s:
                    _judge_late_answers(probes[role], probes[other], own)
            found.append(Evidence(talk, own, probes))
    return sorted(found, key=lambda one: one.published[0].frame)


def recorded(stage: Stage) -> list[Segment]:
    """The segments of what will be published, as one recording in order of time."""
    segments = read_segments(stage.capture_path())
    capture = stage.scenario.capture
    if not capture.with_far_end and capture.second is None:
        return segments
    other = stage.witness_path("server") if capture.with_far_end else stage.second_path()
    both = sorted([*segments, *read_segments(other)], key=lambda one: one.time)
    return [replace(one, frame=number) for number, one in enumerate(both, 1)]


def _lifetime(talk: Talk, talks: Sequence[Talk]) -> tuple[float, float]:
    # A 4-tuple may be used again: the next SYN ends the connection before.
    later = (one.opened for one in talks if one.addresses == talk.addresses and one.opened > talk.opened)
    return talk.opened, min(later, default=float("inf"))


def of_talk(segments: Sequence[Segment], talk: Talk, lifetime: tuple[float, float]) -> list[Segment]:
    ends = set(talk.addresses)
    return [one for one in segments if {one.source, one.destination} == ends and lifetime[0] <= one.time < lifetime[1]]


def _sightings(
    end: Endpoint, witness: Sequence[Segment], published: Sequence[Segment], passage_s: float
) -> list[Sighting]:
    """The probes of one sender, found at the sender where every acknowledgement that it received is known."""
    acknowledged: int | None = None
    peer_window = None
    found = []
    for segment in witness:
        if segment.source != end.address:
            if segment.ack is not None and not segment.is_rst:
                acknowledged, peer_window = segment.ack, segment.window
        elif acknowledged is not None and _is_probe(segment, acknowledged):
            match = next((one for one in published if _same_passage(one, segment, passage_s)), None)
            found.append(Sighting(segment, match, zero_window=peer_window == 0))
    return found


def _is_probe(segment: Segment, acknowledged: int) -> bool:
    return (
        segment.flags in (".", "P.")
        and segment.length <= 1
        and segment.seq is not None
        and (segment.seq + 1) % 2**32 == acknowledged
    )


def _same_passage(one: Segment, other: Segment, passage_s: float) -> bool:
    return one.same_packet(other) and abs(one.time - other.time) < passage_s


def _judge(probes: Sequence[Sighting], peer_probes: Sequence[Sighting], published: Sequence[Segment]) -> None:
    """Say of each probe what the published recording shows to have become of it before the next one."""
    not_answers = {one.published.frame for one in peer_probes if one.published}
    shown = [one for one in probes if one.published]
    for probe, following in zip(shown, [*shown[1:], None], strict=False):
        begin = probe.published.frame if probe.published else 0
        end = following.published.frame if following and following.published else float("inf")
        between = (one for one in published if begin < one.frame < end and one.frame not in not_answers)
        probe.fate = _fate(probe.sent, between)


def _judge_late_answers(
    probes: Sequence[Sighting], peer_probes: Sequence[Sighting], published: Sequence[Segment]
) -> None:
    """Where a round trip may be longer than an interval and nothing is lost, each answer is the oldest probe's."""
    not_answers = {one.published.frame for one in peer_probes if one.published}
    answers = [one for one in published if one.flags == "." and one.length == 0 and one.frame not in not_answers]
    for probe in probes:
        if probe.published is None or probe.sent.seq is None:
            continue
        wanted = (probe.published.destination, (probe.sent.seq + 1) % 2**32)
        fit = (one for one in answers if (one.source, one.ack) == wanted and one.frame > probe.published.frame)
        answer = next(fit, None)
        probe.fate = "unanswered" if answer is None else "answered"
        if answer is not None:
            answers.remove(answer)


def _fate(probe: Segment, between: Iterable[Segment]) -> str:
    for segment in between:
        if segment.source == probe.source:
            if segment.is_rst:
                break  # whatever comes later answers nothing that was still asked
            continue
        if segment.flags == "R":
            return "reset"
        if probe.seq is not None and segment.ack == (probe.seq + 1) % 2**32:
            return "answered"
    return "unanswered"


def connection(evidence: Evidence, stretched: int = 1) -> dict[str, Any]:
    """One connection of the truth file; the settings are those that the published times show."""
    talk = evidence.talk
    seen_opening = any(one.opens for one in evidence.published)
    keepalives = {role: evidence.keepalives(role) for role in ROLES}
    fates = {role: [one.fate for one in keepalives[role]] for role in ROLES}
    return {
        "client": _endpoint(talk.client),
        "server": _endpoint(talk.server),
        "roles": "handshake" if seen_opening else "guess",
        "settings": {role: _settings(talk.end(role).keepalive, stretched) for role in ROLES},
        "probes": {role: len(keepalives[role]) for role in ROLES},
        "answers": {
            role: {fate: fates[role].count(fate) for fate in ("answered", "unanswered", "reset")} for role in ROLES
        },
        "probe_length": {role: keepalives[role][0].sent.length if keepalives[role] else None for role in ROLES},
        "zero_window_probes": {role: len(evidence.window_probes(role)) for role in ROLES},
        "handshake": talk.handshake if seen_opening else "not_captured",
        "state": {role: talk.end(role).state for role in ROLES},
        "ending": {"how": talk.ending.how, "by": talk.ending.by, "why": talk.ending.why},
        "verdict": talk.verdict,
        **({} if talk.beats is None else {"heartbeats": [asdict(beats) for beats in talk.beats]}),
    }


def _endpoint(end: Endpoint) -> dict[str, str | int]:
    return {"address": end.address[0], "port": end.address[1]}


def _settings(keepalive: Keepalive | None, stretched: int) -> dict[str, int | float | None] | None:
    if keepalive is None:
        return None
    return {
        "tcp_keepalive_time": keepalive.time * stretched,
        "tcp_keepalive_intvl": keepalive.intvl * stretched,
        "tcp_keepalive_probes": keepalive.probes,
        "user_timeout_s": keepalive.user_timeout_s,
    }


def truth(stage: Stage, found: Sequence[Evidence]) -> dict[str, Any]:
    """The whole truth file."""
    connections = [connection(one, stage.scenario.capture.stretched) for one in found]
    seen = {"kernel": release(), "hz": timer_hz(), "connections": connections, "sources": sources(stage)}
    return dictated.renewed(seen, stage.scenario)


def sources(stage: Stage) -> dict[str, str]:
    """Where each part of the truth comes from."""
    counted = any(talk.shown for talk in stage.talks)
    heartbeats = "counted by tshark in this recording, inside TLS with secrets, or by the program at the other end"
    return {
        "settings": "set by the script with setsockopt",
        "probes": "segments at the sender's own interface, compared with TCPKeepAlive in its namespace, "
        "then looked up in this recording",
        "zero_window_probes": "the same, compared with TCPWinProbe",
        "answers": "segments of this recording between a probe and the next one",
        "state": "ss -tnoie in each namespace at the end of the recording; not listed means CLOSED",
        "ending": "made by the script, compared with the socket errors " + _errors(stage),
        "lost": f"packets dropped by the router: {sum(stage.dropped.values())}",
        **({"heartbeats": heartbeats} if counted else {}),
    }


def _errors(stage: Stage) -> str:
    every = (talk.end(role) for talk in stage.talks for role in ROLES)
    ends = Counter(f"{end.role} {end.error_name() or 'none'}" for end in every)
    return "(" + ", ".join(f"{words} x {count}" if count > 1 else words for words, count in ends.items()) + ")"
