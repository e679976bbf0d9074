"""What is said of sockets that leak or wait for nothing: who holds them, what shows it, and what to change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.diagnose.advice import DEFAULT_TAKES, USUAL
from analyzer.knowledge.snippets import Timing, snippet
from analyzer.model.flows import Endpoint
from analyzer.model.quantities import duration, several, times
from analyzer.model.sockets import Process, Socket, Suspect, Timer
from analyzer.tcp import SECOND

DAY_S = 86_400.0
NOT_KNOWN = Process(0, "", "")
# By what an executable is written in: which snippet sets keepalive there.
SNIPPETS = {"go": "Go", "python": "Python", "node": "Node.js", "java": "Java"}
GO_DEFAULT, GO_CONFIG = (1, 13), (1, 23)  # golang/go net: a default of 15 s; KeepAliveConfig
NAMED_AT_MOST = 6  # descriptors


class Group(NamedTuple):
    """Sockets of one process and one service."""

    process: Process
    service: Endpoint
    accepted: bool  # it is this host that offers the service
    sockets: list[Socket]

    @property
    def who(self) -> str:
        """The process, as far as it is known."""
        return "A process that cannot be seen" if self.process is NOT_KNOWN else str(self.process)

    @property
    def what(self) -> str:
        """`3 connections to 10.0.0.5:5432`."""
        if self.accepted:
            return f"{several(len(self.sockets), 'connection')} to its port {self.service.port}"
        return f"{several(len(self.sockets), 'connection')} to {self.service}"


def _made(group: Group, *words: str) -> Suspect:
    """A suspect of these sockets; `words` are its fields from `rule` to `source`."""
    rule, severity, confidence, summary, remedy, observed, source = words
    return Suspect(rule, severity, confidence, summary, remedy, observed, source, tuple(group.sockets), *_about(group))


def _about(group: Group) -> tuple[int, Endpoint]:
    return group.process.pid, group.service


def probes_unanswered(group: Group) -> Suspect:
    """Keepalive probes in a row without a reply: the kernel is about to give the peer up."""
    most = max(one.unanswered for one in group.sockets)
    kind = "window" if group.sockets[0].timer is Timer.PERSIST else "keepalive"
    return _made(
        group,
        "probes-unanswered",
        "high",
        "likely",
        f"{group.who} has {group.what} whose peer does not reply to {kind} probes, up to {most} in a row",
        "Check the peer's host, then the path to it. The process gets ETIMEDOUT when the last probe stays without a "
        "reply.",
        f"timer {group.sockets[0].timer} with {several(most, 'probe')} without a reply",
        "Linux net/ipv4/tcp_timer.c tcp_keepalive_timer(), tcp_probe_timer()",
    )


def data_unacknowledged(group: Group) -> Suspect:
    """Data retransmitted again and again: the retransmission timer runs, and keepalive waits for it."""
    most = max(group.sockets, key=lambda one: one.unanswered)
    waits = sum(one.send_queue for one in group.sockets)
    return _made(
        group,
        "data-unacknowledged",
        "high",
        "certain",
        f"{group.who} has {group.what} with {waits:,} bytes that the peer does not acknowledge, retransmitted up to "
        f"{times(most.unanswered)}",
        f"Check the peer's host, then the path to it. Until then keepalive does not probe: set TCP_USER_TIMEOUT to "
        f"{USUAL.total * 1000} ms, or deadlines for requests.",
        f"timer on, {most.unanswered} retransmissions in a row, {most.send_queue:,} bytes in the send queue",
        "RFC 9293 3.8.1; RFC 5482; Linux net/ipv4/tcp_timer.c tcp_write_timeout()",
    )


def window_closed(group: Group) -> Suspect:
    """Data for which the peer offers no window, although its host replies to window probes."""
    waits = sum(one.send_queue for one in group.sockets)
    return _made(
        group,
        "window-closed",
        "medium",
        "likely",
        f"{group.who} has {group.what} with {waits:,} bytes for which the peer has no room: its window is closed",
        "Find out why the peer's application does not read. Keepalive does not end this: TCP_USER_TIMEOUT does.",
        f"timer persist, the last packet from the peer {_heard(group)} ago, no data for {_silent(group)}",
        "RFC 9293 3.8.6.1; Linux net/ipv4/tcp_timer.c tcp_probe_timer()",
    )


def close_wait(group: Group) -> Suspect | None:
    """The peer has sent its FIN, and the process has not closed: it is the process that forgot."""
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


def fin_wait_2(group: Group) -> Suspect:
    """The process has shut down its side alone, and the peer goes on."""
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


def unprotected(group: Group) -> Suspect:
    """No keepalive timer, and no data for long: nothing would notice that the peer has gone."""
    silent = max(one.idle or 0 for one in group.sockets)
    return _made(
        group,
        "unprotected-socket",
        "high" if silent >= DAY_S else "medium",
        "possible",
        f"{group.who} holds {group.what} without keepalive, silent for up to {_silent(group)}: if a peer is gone, "
        "nobody notices",
        how_to_set(group.process, USUAL),
        f"ESTABLISHED, no keepalive timer; {_descriptors(group)}",
        "RFC 9293 3.8.4; socket(7), SO_KEEPALIVE",
    )


def two_hours(group: Group) -> Suspect:
    """Keepalive is on, with the system's default of two hours."""
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


def growing(group: Group, course: Sequence[int], seconds: float) -> Suspect:
    """More connections at each look; `course` is how many there were."""
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


def _heard(group: Group) -> str:
    known = [one.heard_ago for one in group.sockets if one.heard_ago is not None]
    return duration(round(max(known) * SECOND)) if known else "an unknown time"


def _silent(group: Group) -> str:
    return duration(round(max(one.idle or 0 for one in group.sockets) * SECOND))


def _descriptors(group: Group) -> str:
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
