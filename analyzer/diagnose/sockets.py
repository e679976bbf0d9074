"""Which sockets of a host leak or wait for nothing: no keepalive, never closed, data that nobody acknowledges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from analyzer.diagnose.socket_claims import (
    NOT_KNOWN,
    Group,
    close_wait,
    data_unacknowledged,
    fin_wait_2,
    growing,
    probes_unanswered,
    two_hours,
    unprotected,
    window_closed,
)
from analyzer.model.findings import SEVERITIES
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import MAY_PROBE, Socket, Suspect, Timer
from analyzer.tcp import State

PERSIST = Timer.PERSIST
ESTABLISHED = State.ESTABLISHED  # asked for of each socket; an enumeration takes its time to tell
# A process that is about to close does so within a fraction of this.
CLOSES_WITHIN_S = 10.0
# Who reads at all reads again within so long.
STALLED_S = 10.0
# net.ipv4.tcp_fin_timeout: what waits for longer is held by a process that has not closed it.
FIN_TIMEOUT_S = 60.0
# So many in a row, and it is not a single lost segment.
IN_A_ROW = 3
# What is left of the two-hour default, but for the slack of its timer.
TWO_HOURS_S = 7_100.0
GROWN_BY = 5
Rule = Callable[[Group], Suspect | None]
Counts = dict[tuple[int, Endpoint], int]


def find_suspects(sockets: Iterable[Socket], idle_after: float = 3600.0) -> list[Suspect]:
    """Those of these sockets that leak or wait for nothing, the worst first; `idle_after` is a silence in seconds.

    Rules look at sockets of one process and one service together: each is about what one change would fix.
    """
    some = list(sockets)
    by_rule: dict[tuple[Rule, Timer], list[Socket]] = {}
    for one in some:
        rule = _what_is_wrong(one, idle_after)
        if rule is not None:
            by_rule.setdefault((rule, one.timer), []).append(one)
    listening = _listening(some)
    found = [rule(group) for (rule, _), mine in by_rule.items() for group in _groups(mine, listening)]
    return worst_first(one for one in found if one is not None)


def _what_is_wrong(one: Socket, idle_after: float) -> Rule | None:
    """The rule that this socket is a case of; the worst, where two would be."""
    state, timer = one.state, one.timer
    if one.unanswered >= IN_A_ROW and timer in UNANSWERED and state is not State.SYN_SENT:
        return UNANSWERED[timer]
    if timer is PERSIST and (one.idle or 0) >= STALLED_S:
        return window_closed
    if state is ESTABLISHED:
        if one.keepalive is False and (one.idle or 0) >= idle_after:
            return unprotected
        return two_hours if _has_two_hours(one) else None
    if state is State.CLOSE_WAIT and (one.heard_ago is None or one.heard_ago >= CLOSES_WITHIN_S):
        return close_wait
    if state is State.FIN_WAIT_2 and one.owners and (one.heard_ago or 0) >= FIN_TIMEOUT_S:
        return fin_wait_2
    return None


def count_open(sockets: Iterable[Socket]) -> Counts:
    """How many open connections each process that can be seen has to each service."""
    return {_key(group): len(group.sockets) for group in _open_groups(sockets)}


def find_growing(sockets: Iterable[Socket], counts: Sequence[Counts], seconds: float) -> list[Suspect]:
    """Processes whose connections to one service have grown again and again over these looks, and never shrunk.

    The last of the counts is of these sockets; `seconds` have passed since the first.
    """
    courses = {key: [count.get(key, 0) for count in counts] for key in (counts[-1] if counts else ())}
    grown = {key: course for key, course in courses.items() if _has_grown(course)}
    if not grown:
        return []
    groups = ((group, grown.get(_key(group))) for group in _open_groups(sockets))
    return [growing(group, course, seconds) for group, course in groups if course]


def _has_grown(course: Sequence[int]) -> bool:
    """Whether it is no single jump, as when a program fills its pool."""
    steps = [later - one for one, later in pairwise(course)]
    return course[-1] - course[0] >= GROWN_BY and min(steps) >= 0 and sum(step > 0 for step in steps) >= IN_A_ROW


def narrowed(suspects: Iterable[Suspect], shown: Iterable[Socket]) -> list[Suspect]:
    """Suspects that any of these sockets belongs to, with those alone."""
    left = {id(one) for one in shown}
    found = []
    for suspect in suspects:
        mine = tuple(one for one in suspect.sockets if id(one) in left)
        if mine:
            found.append(suspect._replace(sockets=mine))
    return found


def worst_first(suspects: Iterable[Suspect]) -> list[Suspect]:
    """The most severe first, then those of the most sockets."""
    return sorted(suspects, key=lambda one: (-SEVERITIES.index(one.severity), -len(one.sockets)))


def _open_groups(sockets: Iterable[Socket]) -> list[Group]:
    """Open connections of processes that can be seen."""
    some = list(sockets)
    return _groups((one for one in some if one.state in MAY_PROBE and one.owners), _listening(some))


def _listening(sockets: Iterable[Socket]) -> set[int]:
    """The ports that this host offers."""
    return {one.local.port for one in sockets if one.state is State.LISTEN}


def _key(group: Group) -> tuple[int, Endpoint]:
    return group.process.pid, group.service


def _groups(sockets: Iterable[Socket], listening: set[int]) -> list[Group]:
    groups: dict[tuple[int, int | Endpoint], list[Socket]] = {}
    for one in sockets:
        port = one.local.port
        pid = one.owners[0].process.pid if one.owners else 0
        groups.setdefault((pid, port if port in listening else one.peer), []).append(one)
    return [_group(service, mine) for (_, service), mine in groups.items()]


def _group(service: int | Endpoint, sockets: list[Socket]) -> Group:
    owners = sockets[0].owners
    accepted = isinstance(service, int)
    offered = Endpoint("", service) if isinstance(service, int) else service
    return Group(owners[0].process if owners else NOT_KNOWN, offered, accepted, sockets)


def _has_two_hours(one: Socket) -> bool:
    if one.options is not None:
        return one.options.keepalive and one.options.idle >= TWO_HOURS_S
    left = one.timer_left if one.timer is Timer.KEEPALIVE and not one.unanswered else None
    return left is not None and left + (one.idle or 0) >= TWO_HOURS_S


UNANSWERED = {
    Timer.KEEPALIVE: probes_unanswered,
    Timer.RETRANSMIT: data_unacknowledged,
    Timer.PERSIST: probes_unanswered,  # of the window: a host that is there replies, its window closed or not
}
