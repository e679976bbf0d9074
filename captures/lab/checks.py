"""Where two witnesses can be compared, they are, and a recording on which they disagree is not published."""

import errno
from collections.abc import Iterator, Sequence

from endpoints import Talk
from network import FORGES
from recorder import Segment, read_segments, without_repeats
from stage import Stage
from truth import ROLES, Evidence, Sighting

# The last ICMP error before a timer gives up, where there was one, is told in place of ETIMEDOUT.
UNREACHABLE = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EACCES}
CLOSED_BY_FIN = {"CLOSED", "TIME-WAIT"}
GAVE_UP = {"keepalive_exhausted", "user_timeout"}
HALF_CLOSED = {"CLOSE-WAIT", "FIN-WAIT-2"}


class Disagreement(Exception):
    """Script, kernel and wire do not say the same."""


def check(stage: Stage, found: Sequence[Evidence]) -> None:
    """Raise if any two witnesses disagree."""
    problems = [
        *_strangers(stage, found),
        *_counters(stage, found),
        *_aborts(stage),
        *_expectations(stage, found),
        *_losses(stage),
        *_trailing(stage, found),
        *_lossy(found),
    ]
    for one in found:
        problems.extend(_ending(one.talk))
    if problems:
        raise Disagreement("; ".join(problems))


def _strangers(stage: Stage, found: Sequence[Evidence]) -> Iterator[str]:
    """Every connection of the script is recorded, and no other."""
    if len(found) != len(stage.talks):
        yield f"{len(found)} connections recorded, {len(stage.talks)} made by the script"
    known = {frozenset(talk.addresses) for talk in stage.talks}
    for segment in read_segments(stage.capture_path()):
        if not segment.is_icmp and frozenset((segment.source, segment.destination)) not in known:
            yield f"frame {segment.frame} belongs to no connection of the script"


def _within(stage: Stage, probes: Sequence[Sighting]) -> list[Sighting]:
    return [one for one in probes if stage.captured_from <= one.sent.time <= stage.captured_to]


def _counters(stage: Stage, found: Sequence[Evidence]) -> Iterator[str]:
    """The probes at each sender's interface against the kernel's counters in its namespace."""
    for role, counters in stage.counters.items():
        probes, injected = [], 0
        for one in found:
            if one.talk.translated:  # counted before it was
                continue
            for sender in ROLES if stage.network.single_host else (role,):
                probes += _within(stage, one.probes[sender])
                injected += one.talk.end(sender).injected
        for word, counter, count in (
            ("keepalive probes", "TCPKeepAlive", sum(not probe.zero_window for probe in probes) - injected),
            ("zero-window probes", "TCPWinProbe", sum(probe.zero_window for probe in probes)),
        ):
            if not stage.network.single_host or role == "client":
                if count != counters[counter]:
                    yield f"{count} {word} sent by the {role} on the wire, {counters[counter]} by {counter}"
        if stage.scenario.capture.vantage == role and any(probe.published is None for probe in probes):
            yield f"a probe of the {role} is missing from the recording made at its own interface"


def _aborts(stage: Stage) -> Iterator[str]:
    """The connections that each end gave up by a timer against the kernel's counter."""
    if stage.network.single_host:
        return
    for role, counters in stage.counters.items():
        endings = [talk.ending for talk in stage.talks if talk.ending.by == role]
        expected = sum(ending.how == "timeout" or ending.why in GAVE_UP for ending in endings)
        expected += sum(talk.end(role).gave_up_too for talk in stage.talks)
        counted = counters["TCPAbortOnTimeout"]
        if counted != expected:
            yield f"the {role} gave up {expected} times by the script, {counted} by TCPAbortOnTimeout"


def _expectations(stage: Stage, found: Sequence[Evidence]) -> Iterator[str]:
    for role, expected in stage.scenario.expected_probes.items():
        count = sum(len(one.keepalives(role)) for one in found)
        if count != expected:
            yield f"{count} keepalive probes of the {role} recorded, {expected} expected by the script"


def _losses(stage: Stage) -> Iterator[str]:
    """What one end sent and the other never received against what the router counted as dropped."""
    if stage.network.single_host or stage.losses_unknown:
        return
    at = {role: without_repeats(read_segments(stage.witness_path(role))) for role in ROLES}
    lost = 0
    for sender, receiver in (ROLES, ROLES[::-1]):
        addresses = stage.addresses(sender)
        lost += _sent_by(at[sender], addresses) - _sent_by(at[receiver], addresses)
    forged = sum(count for rule, count in stage.dropped.items() if rule.endswith(FORGES))
    if lost != sum(stage.dropped.values()) - forged - stage.made_by_hand:
        yield f"{lost} segments lost between the ends, {stage.dropped} dropped by the router"


def _sent_by(segments: Sequence[Segment], addresses: set[str]) -> int:
    return sum(one.source[0] in addresses and not one.is_icmp for one in segments)


def _lossy(found: Sequence[Evidence]) -> Iterator[str]:
    """What is said to be lossy has lost something: a path that loses at random may lose nothing."""
    for one in found:
        fates = [probe.fate for role in ROLES for probe in one.keepalives(role)]
        if one.talk.verdict == "lossy_path" and "unanswered" not in fates:
            yield "the path is said to be lossy, and every probe was answered"


def _trailing(stage: Stage, found: Sequence[Evidence]) -> Iterator[str]:
    """The unanswered probes at the end of an open connection against the kernel's count of them."""
    for one in found:
        for role in ROLES:
            end = one.talk.end(role)
            if end.probes_out is None or end.deaf or stage.scenario.capture.vantage not in (role, "both"):
                continue
            fates = [probe.fate for probe in one.keepalives(role)]
            trailing = next((n for n, fate in enumerate(reversed(fates)) if fate != "unanswered"), len(fates))
            if trailing != end.probes_out:
                yield f"{trailing} probes of the {role} unanswered at the end, {end.probes_out} by TCP_INFO"


def _ending(talk: Talk) -> Iterator[str]:
    """The ending that the script made against the errors and states that the kernel left."""
    states = {talk.client.state, talk.server.state}
    how, by, why = talk.ending.how, talk.ending.by, talk.ending.why
    ender = talk.end(by) if by in ROLES else None
    other = talk.end("server" if by == "client" else "client")
    fits = True
    if how == "open":
        fits = "CLOSED" not in states
    elif how == "fin":
        fits = states <= CLOSED_BY_FIN and not talk.client.error and not talk.server.error
    elif how == "half_closed":
        fits = states == HALF_CLOSED
    elif how == "refused":
        fits = talk.client.error == errno.ECONNREFUSED
    elif how == "timeout" or why in GAVE_UP:
        told = ender is not None and (ender.error in UNREACHABLE or talk.errors_unknown is not None)
        fits = told and ender is not None and ender.state == "CLOSED"
    elif why in ("reply_to_probe", "reply_to_data"):
        # EPIPE where the peer had said before that it would send nothing more.
        fits = other.error in (errno.ECONNRESET, errno.EPIPE) and other.state == "CLOSED"
    elif why == "abort":
        fits = states == {"CLOSED"}
    if not fits:
        errors = {role: talk.end(role).error_name() for role in ROLES}
        yield f"ending {how}/{by}/{why} does not fit states {states} and errors {errors}"
