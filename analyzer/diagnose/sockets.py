"""Which sockets of a host leak or wait in vain: held without keepalive, never closed, with data nobody acknowledges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from analyzer.diagnose.advice import DEFAULT_TAKES, USUAL
from analyzer.knowledge.snippets import Timing, snippet
from analyzer.model.flows import Endpoint
from analyzer.model.quantities import duration, several, times
from analyzer.model.sockets import Process, Socket, Suspect, Timer
from analyzer.tcp import SECOND, State

DAY_S = 86_400.0
ESTABLISHED = State.ESTABLISHED  # asked for of each socket; an enumeration takes its time to tell
# A process that is about to close does so within a fraction of this.
CLOSES_WITHIN_S = 10.0
# net.ipv4.tcp_fin_timeout: what waits for longer is held by a process that has not closed it.
FIN_TIMEOUT_S = 60.0
# So many in a row, and it is not a single lost segment.
IN_A_ROW = 3
# What is left of the two-hour default, but for the slack of its timer.
TWO_HOURS_S = 7_100.0
NOT_KNOWN = Process(0, "", "")
# By what an executable is written in: which snippet sets keepalive there.
SNIPPETS = {"go": "Go", "python": "Python", "node": "Node.js", "java": "Java"}
GROWN_BY = 5
NAMED_AT_MOST = 6  # descriptors
GO_DEFAULT, GO_CONFIG = (1, 13), (1, 23)  # golang/go net: a default of 15 s; KeepAliveConfig
SEVERITIES = ("high", "medium", "low", "info")


class _Group(NamedTuple):
    """Sockets of one process and one service."""

    process: Process
    service: Endpoint
    accepted: bool  # it is this host that offers the service
    sockets: list[Socket]

    @property
    def who(self) -> str:
        """The process, as far as it is known."""
        if self.process is NOT_KNOWN:
            return "A process that cannot be seen"
        return f"{self.process.command} (pid {self.process.pid})"

    @property
    def what(self) -> str:
        """`3 connections to 10.0.0.5:5432`."""
        if self.accepted:
            return f"{several(len(self.sockets), 'connection')} to its port {self.service.port}"
        return f"{several(len(self.sockets), 'connection')} to {self.service}"


Rule = Callable[[_Group], Suspect | None]


def find_suspects(sockets: Iterable[Socket], idle_after: float = 3600.0) -> list[Suspect]:
    """Those of these sockets that leak or wait in vain, the worst first; `idle_after` is a silence in seconds.

    Rules look at sockets of one process and one service together: each is about what one change would mend.
    """
    some = list(sockets)
    listening = {one.local.port for one in some if one.state is State.LISTEN}
    by_rule: dict[Rule, list[Socket]] = {}
    for one in some:
        rule = _what_is_wrong(one, idle_after)
        if rule is not None:
            by_rule.setdefault(rule, []).append(one)
    found = [rule(group) for rule, mine in by_rule.items() for group in _groups(mine, listening)]
    suspects = [one for one in found if one is not None]
    return sorted(suspects, key=lambda one: (SEVERITIES.index(one.severity), -len(one.sockets)))


def _what_is_wrong(one: Socket, idle_after: float) -> Rule | None:
    """The rule that this socket is a case of; the worst, where two would be."""
    state, timer = one.state, one.timer
    if one.unanswered >= IN_A_ROW and timer in UNANSWERED and state is not State.SYN_SENT:
        return UNANSWERED[timer]
    if state is ESTABLISHED:
        if one.keepalive is False and (one.idle or 0) >= idle_after:
            return _unprotected
        return _two_hours if _has_two_hours(one) else None
    if state is State.CLOSE_WAIT and (one.heard_ago is None or one.heard_ago >= CLOSES_WITHIN_S):
        return _close_wait
    if state is State.FIN_WAIT_2 and one.owners and (one.heard_ago or 0) >= FIN_TIMEOUT_S:
        return _fin_wait_2
    return None


def find_growing(looks: Sequence[Sequence[Socket]], seconds: float) -> list[Suspect]:
    """Processes whose connections to one service have grown over these looks at all sockets, and never shrunk."""
    if len(looks) < IN_A_ROW:
        return []
    counts = [{_key(group): len(group.sockets) for group in _open_groups(look)} for look in looks]
    found = []
    for group in _open_groups(looks[-1]):
        course = [count.get(_key(group), 0) for count in counts]
        if course[-1] - course[0] >= GROWN_BY and all(one <= later for one, later in pairwise(course)):
            found.append(_growing(group, course, seconds))
    return found


def _open_groups(sockets: Iterable[Socket]) -> list[_Group]:
    """Open connections of processes that can be seen."""
    some = list(sockets)
    listening = {one.local.port for one in some if one.state is State.LISTEN}
    lasting = (one for one in some if one.state in (State.ESTABLISHED, State.CLOSE_WAIT) and one.owners)
    return _groups(lasting, listening)


def _key(group: _Group) -> tuple[int, Endpoint]:
    return group.process.pid, group.service


def _growing(group: _Group, course: Sequence[int], seconds: float) -> Suspect:
    return _made(
        group,
        "growing",
        "medium",
        "possible",
        f"{group.who} has {group.what}, {course[-1] - course[0]} more than {duration(round(seconds * SECOND))} ago",
        f"Look for a place in {group.process.command} that opens connections and closes none: responses that are not "
        "read to the end, a client made for each request, a pool without a limit.",
        f"{several(course[0], 'connection')}, then {', '.join(str(count) for count in course[1:])}",
        "a pool that fills looks the same, and stops",
    )


def _groups(sockets: Iterable[Socket], listening: set[int]) -> list[_Group]:
    groups: dict[tuple[int, int | Endpoint], list[Socket]] = {}
    for one in sockets:
        port = one.local.port
        pid = one.owners[0].process.pid if one.owners else 0
        groups.setdefault((pid, port if port in listening else one.peer), []).append(one)
    return [_group(service, mine) for (_, service), mine in groups.items()]


def _group(service: int | Endpoint, sockets: list[Socket]) -> _Group:
    owners = sockets[0].owners
    accepted = isinstance(service, int)
    offered = Endpoint("", service) if isinstance(service, int) else service
    return _Group(owners[0].process if owners else NOT_KNOWN, offered, accepted, sockets)


def _has_two_hours(one: Socket) -> bool:
    if one.options is not None:
        return one.options.keepalive and one.options.idle >= TWO_HOURS_S
    left = one.timer_left if one.timer is Timer.KEEPALIVE and not one.unanswered else None
    return left is not None and left + (one.idle or 0) >= TWO_HOURS_S


def _made(group: _Group, *words: str) -> Suspect:
    """A suspect of these sockets; `words` are its fields from `rule` to `source`."""
    rule, severity, confidence, summary, remedy, observed, source = words
    return Suspect(rule, severity, confidence, summary, remedy, observed, source, tuple(group.sockets))


def _probes_unanswered(group: _Group) -> Suspect:
    most = max(one.unanswered for one in group.sockets)
    return _made(
        group,
        "probes-unanswered",
        "high",
        "likely",
        f"{group.who} has {group.what} whose peer does not reply to keepalive probes, up to {most} in a row",
        "Check the peer's host, then the path to it. The process is told (ETIMEDOUT) when the last probe stays without "
        "a reply.",
        f"timer keepalive with {several(most, 'probe')} without a reply",
        "Linux net/ipv4/tcp_timer.c tcp_keepalive_timer()",
    )


def _data_unacknowledged(group: _Group) -> Suspect:
    most = max(group.sockets, key=lambda one: one.unanswered)
    waits = sum(one.send_queue for one in group.sockets)
    return _made(
        group,
        "data-unacknowledged",
        "high",
        "certain",
        f"{group.who} has {group.what} with {waits:,} bytes that the peer does not acknowledge, retransmitted up to "
        f"{times(most.unanswered)}",
        f"Check the peer's host, then the path to it. Keepalive does not probe meanwhile: set TCP_USER_TIMEOUT to "
        f"{USUAL.total * 1000} ms, or deadlines for requests.",
        f"timer on, {most.unanswered} retransmissions in a row, {most.send_queue:,} bytes in the send queue",
        "RFC 9293 3.8.1; RFC 5482; Linux net/ipv4/tcp_timer.c tcp_write_timeout()",
    )


def _window_closed(group: _Group) -> Suspect:
    waits = sum(one.send_queue for one in group.sockets)
    return _made(
        group,
        "window-closed",
        "medium",
        "likely",
        f"{group.who} has {group.what} with {waits:,} bytes for which the peer has no room: its window is closed",
        "Find out why the peer's application does not read. Keepalive does not end this: TCP_USER_TIMEOUT does.",
        f"timer persist, up to {max(one.unanswered for one in group.sockets)} window probes in a row",
        "RFC 9293 3.8.6.1; Linux net/ipv4/tcp_timer.c tcp_probe_timer()",
    )


def _close_wait(group: _Group) -> Suspect | None:
    if group.process is NOT_KNOWN:
        return None
    return _made(
        group,
        "close-wait-held",
        "high",
        "certain",
        f"{group.who} has not closed {group.what} that the peer has closed",
        f"Close the socket when read() returns 0, in {group.process.command}. Keepalive and timeouts of the kernel do "
        "not close it.",
        f"CLOSE-WAIT, the last packet from the peer {_heard(group)} ago; {_descriptors(group)}",
        "RFC 9293 3.3.2",
    )


def _fin_wait_2(group: _Group) -> Suspect:
    return _made(
        group,
        "fin-wait-2-held",
        "low",
        "likely",
        f"{group.who} has shut down its side of {group.what} and waits for the peer's FIN",
        f"Close the socket, or read with a time limit, in {group.process.command}: the kernel limits the wait only of "
        "sockets that are closed (net.ipv4.tcp_fin_timeout).",
        f"FIN-WAIT-2, the last packet from the peer {_heard(group)} ago; {_descriptors(group)}",
        "RFC 9293 3.3.2; Linux Documentation/networking/ip-sysctl.rst tcp_fin_timeout",
    )


def _unprotected(group: _Group) -> Suspect:
    silent = max(one.idle or 0 for one in group.sockets)
    lasted = duration(round(silent * SECOND))
    return _made(
        group,
        "unprotected-socket",
        "high" if silent >= DAY_S else "medium",
        "possible",
        f"{group.who} holds {group.what} without keepalive, silent for up to {lasted}: if a peer is gone, "
        "nobody notices",
        how_to_set(group.process, USUAL),
        f"ESTABLISHED, no keepalive timer; {_descriptors(group)}",
        "RFC 9293 3.8.4; socket(7), SO_KEEPALIVE",
    )


def _two_hours(group: _Group) -> Suspect:
    return _made(
        group,
        "two-hour-default",
        "low",
        "certain",
        f"{group.who} has keepalive with the default of two hours on {group.what}: a dead peer is noticed after "
        f"{DEFAULT_TAKES}",
        how_to_set(group.process, USUAL),
        "a keepalive timer of 7200 s, longer than devices on the path remember idle connections",
        "Linux net.ipv4.tcp_keepalive_time; RFC 1122 4.2.3.6",
    )


def _heard(group: _Group) -> str:
    known = [one.heard_ago for one in group.sockets if one.heard_ago is not None]
    return duration(round(max(known) * SECOND)) if known else "an unknown time"


def _descriptors(group: _Group) -> str:
    if group.process is NOT_KNOWN:
        return "its descriptor cannot be seen: run as root"
    shown = ", ".join(str(one.owners[0].fd) for one in group.sockets[:NAMED_AT_MOST])
    left = len(group.sockets) - NAMED_AT_MOST
    return f"fd{'s' * (len(group.sockets) > 1)} {shown}" + (f" and {left} more" if left > 0 else "")


def how_to_set(process: Process, timing: Timing) -> str:
    """What to change in the program, in its language where the executable shows that."""
    runtime = process.runtime
    name = next((software for prefix, software in SNIPPETS.items() if runtime.startswith(prefix)), "")
    if name == "Go":
        return _in_go(process, timing)
    if name:
        return f"Set keepalive in {process.command}: {snippet(name).text(timing)}."
    options = f"TCP_KEEPIDLE={timing.idle}, TCP_KEEPINTVL={timing.interval}, TCP_KEEPCNT={timing.probes}"
    return f"Set SO_KEEPALIVE with {options} on the socket, in {process.command or 'the program'} or its configuration."


def _in_go(process: Process, timing: Timing) -> str:
    """By its version: `KeepAliveConfig` is of Go 1.23, a default of 15 s of Go 1.13, golang/go net/dial.go."""
    found = re.match(r"go(\d+)\.(\d+)", process.runtime)
    version = (int(found[1]), int(found[2])) if found else GO_CONFIG
    if version >= GO_CONFIG:
        return f"Set keepalive in {process.command} ({process.runtime}): {snippet('Go').text(timing)}."
    why = " before Go 1.13 it is off unless set" if version < GO_DEFAULT else " a negative value had turned it off"
    return (
        f"Set keepalive in {process.command} ({process.runtime},{why}): Go (net.Dialer or net.ListenConfig): "
        f"`KeepAlive: {timing.idle} * time.Second`"
        + ("." if version >= GO_DEFAULT else "; of what it accepts: `conn.SetKeepAlive(true)`, `SetKeepAlivePeriod`.")
    )


UNANSWERED = {
    Timer.KEEPALIVE: _probes_unanswered,
    Timer.RETRANSMIT: _data_unacknowledged,
    Timer.PERSIST: _window_closed,
}
