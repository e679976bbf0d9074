"""Which settings to take, and why, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.advise.groups import Group
from analyzer.advise.replay import NOT_COUNTED
from analyzer.advise.timer import gives_up
from analyzer.diagnose.advice import USUAL
from analyzer.model.advice import Candidate, Kind, Limit, Outcome, Replay
from analyzer.model.quantities import duration
from analyzer.tcp import SECOND

SERVICES_NAMED = 2
NOTHING = "The capture shows no failure that keepalive settings could have changed."
FAULT = "the fault is elsewhere"
SAYS = {
    Kind.NEVER_CLOSED: "the application does not close its end",
    Kind.STALLED: "the peer's kernel replies to probes, its application does not",
}


def conclude(
    groups: Sequence[Group], limits: Sequence[Limit], replays: Sequence[Replay], *, given: bool
) -> tuple[Candidate | None, str]:
    """The settings to take, if any, and the sentence; `given`: a user named the settings."""
    helped = [place for place, group in enumerate(groups) if group.failure.helped]
    needy = [place for place in helped if groups[place].needs_change]
    if not groups:
        return None, NOTHING
    if not helped:
        return None, f"No keepalive setting helps: {_first_why(groups)}; {FAULT}."
    good = "" if needy else _settings_are_good([groups[place] for place in helped])
    if not replays or (good and not given):
        return None, good + _doubt(groups)
    best = min(replays, key=lambda one: _badness(one, groups, needy or helped))
    drops = [best.outcomes[place] for place in needy if groups[place].failure.kind is Kind.IDLE_DROP]
    if drops and not any(outcome.avoided or outcome.unknown for outcome in drops):
        return None, _keeps_nothing(drops, limits)
    gains = _gains(best, groups, needy or helped)
    if good:
        return None, good + (f" With {best.settings}, {_joined(gains)}." if gains else _doubt(groups))
    if not gains:
        return None, "None of these settings changes what failed."
    only = {groups[place].failure.kind for place in needy} == {Kind.UNPROTECTED}
    which = "the unprotected connections to " if only else ""
    text = f"Use {best.settings} for {which}{_services(groups, needy)}: {_joined(gains)}"
    slower = [groups[place].failure.service for place in best.slower if not groups[place].needs_change]
    if slower:
        faster = ", ".join(list(dict.fromkeys(slower))[:SERVICES_NAMED])
        text += f"; keep the settings of the connections to {faster} that already probe: they are faster"
    return best.settings, f"{text}."


def _badness(one: Replay, groups: Sequence[Group], needy: Sequence[int]) -> tuple[float, ...]:
    """The less, the better: lost connections first, then data that waits, what gets slower, and the cost.

    Of what costs the same the gentlest that is quick enough.
    """
    assert one.settings is not None
    avoided = sum(one.outcomes[place].avoided + one.outcomes[place].unknown / 2 for place in needy)
    waits = sum(
        one.outcomes[place].noticed is None for place in needy if groups[place].failure.kind is Kind.UNACKNOWLEDGED_DATA
    )
    takes = gives_up(one.settings).nominal
    slower = len(set(one.slower) & set(needy))
    slow = takes > USUAL.total
    return -avoided, waits, slower, slow, round(one.probes_per_hour or 0.0, 3), takes if slow else -takes


def _gains(one: Replay, groups: Sequence[Group], places: Sequence[int]) -> list[str]:
    """What these settings do for these groups."""
    assert one.settings is not None
    gains = []
    of_kind = {kind: [place for place in places if groups[place].failure.kind is kind] for kind in Kind}
    lost = of_kind[Kind.IDLE_DROP] + of_kind[Kind.LOST_STATE]
    total = sum(len(groups[place].failed) for place in lost)
    avoided = sum(one.outcomes[place].avoided for place in lost)
    unknown = sum(one.outcomes[place].unknown for place in lost)
    if avoided:
        gains.append(f"probes keep {avoided} of {total} lost connections alive")
    if unknown:
        gains.append(
            f"probes may keep {unknown} of {total} lost connections alive (the limit of the path is not known)"
        )
    asked = of_kind[Kind.DEAD_PEER] + of_kind[Kind.UNPROTECTED]
    takes = duration(round(gives_up(one.settings).nominal * SECOND)).replace(".0 s", " s")
    if any(place not in one.slower for place in asked):
        gains.append(f"a dead peer is noticed {takes} after its last packet")
    data = of_kind[Kind.UNACKNOWLEDGED_DATA]
    if one.settings.user_timeout is not None and any(place not in one.slower for place in data):
        gains.append(f"unacknowledged data is given up after {one.settings.user_timeout:g} s")
    return gains


def _settings_are_good(helped: Sequence[Group]) -> str:
    takes = [group.takes for group in helped if group.takes is not None and group.failure.kind is Kind.DEAD_PEER]
    if takes:
        seen = f"they notice a dead peer about {max(takes):g} s after its last packet"
        return f"The settings seen are good: {seen}; {FAULT}."
    if any(group.failure.noticed is None or group.failure.unnoticed for group in helped):
        return "The capture is too short to show whether other settings would help."
    longest = {group.failure.kind: group.failure.noticed.longest for group in helped if group.failure.noticed}
    resent = longest.pop(Kind.UNACKNOWLEDGED_DATA, 0.0)
    said = [f"each failure was noticed within {max(longest.values()):.1f} s"] if longest else []
    said += [f"the last retransmission came {resent:.1f} s after the peer's last packet"] if resent else []
    return f"The settings seen are good: {', and '.join(said)}; {FAULT}."


def _doubt(groups: Sequence[Group]) -> str:
    """What a lost state may be instead."""
    silent = [
        group.failure.silence.shortest
        for group in groups
        if group.failure.kind is Kind.LOST_STATE and group.failure.silence
    ]
    if not silent:
        return ""
    return (
        f" If a device on the path forgot the connection, probe more often than every {min(silent):.1f} s, "
        "the shortest silence before such a loss."
    )


def _keeps_nothing(drops: Sequence[Outcome], limits: Sequence[Limit]) -> str:
    """What would keep connections that a device forgets."""
    if any(outcome.why == NOT_COUNTED for outcome in drops):
        return f"No keepalive setting keeps the lost connections: {NOT_COUNTED}; send heartbeats of the application."
    ask = f": use an idle time of at most {limits[0].safe_idle} s" if limits else ""
    return f"None of these settings keeps the lost connections{ask}."


def _first_why(groups: Sequence[Group]) -> str:
    kinds = {group.failure.kind for group in groups}
    return ", and ".join(says for kind, says in SAYS.items() if kind in kinds)


def _services(groups: Sequence[Group], places: Sequence[int]) -> str:
    names = list(dict.fromkeys(groups[place].failure.service for place in places))
    more = len(names) - SERVICES_NAMED
    return ", ".join(names[:SERVICES_NAMED]) + (f" and {more} more" if more > 0 else "")


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
