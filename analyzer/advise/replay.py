"""What settings would have made of failures: when each had been noticed, and which drops had not happened."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.advise.failures import Failed
from analyzer.advise.timer import first_probe, gives_up, longest_silence, on_time
from analyzer.diagnose.idle_timeouts import PATH_S, Memory
from analyzer.model.advice import Candidate, Delay, Kind, Outcome
from analyzer.tcp import SECOND

DATA_PENDING = "keepalive does not help here: data was unacknowledged; TCP_USER_TIMEOUT sets the limit"
DEAD_BEFORE = "keepalive may have noticed it sooner, if the peer was dead before the data was sent"
NOT_COUNTED = "the device does not count keepalive probes"
NO_REMEDY = {
    Kind.NEVER_CLOSED: "the application does not close its end; no keepalive setting changes that",
    Kind.STALLED: "the peer's kernel replies to probes, its application does not; no keepalive setting shows that",
}
# What is true whatever was tried.
ALWAYS = {**NO_REMEDY, Kind.UNACKNOWLEDGED_DATA: DATA_PENDING}


def replay(settings: Candidate, kind: Kind, failed: Sequence[Failed]) -> Outcome:
    """What these settings would have made of failures of one kind."""
    if kind in NO_REMEDY:
        return Outcome(why=NO_REMEDY[kind])
    if kind is Kind.UNACKNOWLEDGED_DATA:
        return _unacknowledged(settings, failed)
    if kind is Kind.IDLE_DROP:
        return _dropped(settings, failed)
    if kind is Kind.LOST_STATE:
        probe = longest_silence(settings)
        shorter = sum(probe.latest * SECOND < one.silence for one in failed)
        return Outcome(Delay(probe.nominal, 0.0, probe.latest), unknown=shorter, why="an RST answers the next probe")
    why = "if the peer is dead" if kind is Kind.UNPROTECTED else ""
    return Outcome(gives_up(settings), why=why)


def _unacknowledged(settings: Candidate, failed: Sequence[Failed]) -> Outcome:
    """TCP_USER_TIMEOUT runs from the first retransmission (net/ipv4/tcp_timer.c retransmits_timed_out())."""
    takes = gives_up(settings)
    before = any(takes.nominal * SECOND <= one.sent - one.since for one in failed if one.since)
    waited = [(one.resent - one.since) / SECOND for one in failed if one.since]
    if settings.user_timeout is None or not waited:
        return Outcome(why=DATA_PENDING + (f"; {DEAD_BEFORE}" if before else ""))
    limit = on_time(settings.user_timeout)
    delay = Delay(max(waited) + limit.nominal, min(waited) + limit.earliest, max(waited) + limit.latest)
    return Outcome(delay, why=DEAD_BEFORE if before else "")


def _dropped(settings: Candidate, failed: Sequence[Failed]) -> Outcome:
    avoided = unknown = 0
    uncounted = False
    lost: list[Delay] = []
    for one in failed:
        kept = _is_kept(settings, one)
        uncounted |= one.memory is not None and not _is_refreshed(one.memory)
        avoided += kept is True
        unknown += kept is None
        if not kept:
            lost.append(first_probe(settings) if one.by_reset else gives_up(settings))
    noticed = max(lost, default=None, key=lambda delay: delay.nominal)
    return Outcome(noticed, avoided, unknown, NOT_COUNTED if uncounted else "")


def _is_kept(settings: Candidate, one: Failed) -> bool | None:
    """Whether probes would have come in time; None where the capture does not show how long the device remembers."""
    silence = longest_silence(settings)
    memory = one.memory
    if memory is None:  # that a device forgot it is a guess
        return None if silence.latest * SECOND < one.silence else False
    if not _is_refreshed(memory):
        return False
    survived, fatal = memory.survived / SECOND, memory.fatal / SECOND
    if memory.exact:  # its own RST, when the time was over
        survived = fatal - PATH_S
    elif memory.devices:
        survived = max(survived, memory.devices[0].idle_timeout_s - PATH_S)
    if silence.latest <= survived:
        return True
    return None if silence.nominal < fatal else False


def _is_refreshed(memory: Memory) -> bool:
    """Whether keepalive probes count to the device, as far as it is known."""
    return not memory.devices or any(box.probes_refresh is not False for box in memory.devices)
