"""What a reader of the published recording has in hand: who opened, and how many packets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from recorder import read_segments
from stage import Stage
from truth import ROLES, Evidence, of_talk

OTHER: dict[str | None, str] = {"client": "server", "server": "client"}


def packets(stage: Stage, evidence: Evidence) -> dict[str, int]:
    """How many packets of each end were recorded, at one place or another; each place saw what passed it once."""
    paths = [stage.capture_path(), *([stage.second_path()] if stage.scenario.capture.second is not None else [])]
    ends, lifetime = {role: evidence.talk.end(role).address for role in ROLES}, (0.0, float("inf"))
    counts: dict[str, Counter[tuple[object, ...]]] = {role: Counter() for role in ROLES}
    for path in paths:
        here = of_talk(read_segments(path), evidence.talk, lifetime)
        for role in ROLES:
            # Of alike packets the place nearer to the sender saw all.
            counts[role] |= Counter(
                (one.flags, one.seq, one.ack, one.length) for one in here if one.source == ends[role]
            )
    return {role: counts[role].total() for role in ROLES}


def as_recorded(evidence: Evidence) -> Evidence:
    """The evidence as a reader has it: of two ends that both opened, the one whose SYN was captured first asks."""
    talk = evidence.talk
    openers = [one.source for one in evidence.published if one.opens]
    if talk.handshake != "simultaneous" or not openers:
        return evidence
    if len(set(openers)) == 1:
        talk = replace(talk, handshake="complete")
    if openers[0] == talk.client.address:
        return replace(evidence, talk=talk)
    by = OTHER.get(talk.ending.by, talk.ending.by)
    client, server = replace(talk.server, role="client"), replace(talk.client, role="server")
    talk = replace(talk, client=client, server=server, ending=replace(talk.ending, by=by))
    return replace(evidence, talk=talk, probes={OTHER[role]: evidence.probes[role] for role in ROLES})


def with_packets(truth: dict[str, Any], stage: Stage, found: Sequence[Evidence]) -> dict[str, Any]:
    """A truth that counts packets, where they can be counted."""
    if stage.scenario.capture.counted:
        for told, one in zip(truth["connections"], found, strict=True):
            told["packets"] = packets(stage, one)
    return truth
