"""Hypothesis strategies: conversations in which anything may happen, of which the outcome is known all the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from conversation import CLIENT, SERVER, Conversation
from hypothesis import strategies as st

Step = Callable[[Conversation], object]

ISNS = st.one_of(
    st.integers(0, 2**32 - 1),
    st.integers(2**32 - 4000, 2**32 - 1),
    st.integers(2**31 - 4000, 2**31),
)
SENDERS = st.sampled_from([CLIENT, SERVER])
# Longer than any answer can take, so that what comes after a silence answers nothing before it.
SETTLED_S = 4.0


def other(name: str) -> str:
    return SERVER if name == CLIENT else CLIENT


def burst(talk: Conversation, sender: str, length: int, fate: str) -> None:
    """Data that arrives, arrives twice in the capture, is lost and resent, or passes the capture by."""
    if fate == "lost":
        talk.data(sender, min(length, talk.mss), arrives=False).idle(0.3).resend(sender)
    elif fate == "copied":
        talk.data(sender, length, copies=2)
    else:
        talk.data(sender, length, captured=False if fate == "unseen" else None)


def wait(talk: Conversation, seconds: float, octets: int) -> None:
    """An idle time before a probe; before one with a byte, longer than the byte could still be resent (R6)."""
    talk.idle(seconds + (4 * talk.rtt / 1e9 if octets else 0))


def silence(talk: Conversation, seconds: float) -> None:
    talk.idle(seconds)


def rounds(talk: Conversation, sender: str, octets: int, idle: float, count: int, kind: str, copies: int) -> None:
    """Probes that are answered, one idle time after the other."""
    for _ in range(count):
        wait(talk, idle, octets)
        talk.probe(sender, kind, octets, copies=copies)


def lost_run(talk: Conversation, sender: str, octets: int, idle: float, count: int, every: float) -> None:
    """Probes that nothing answers."""
    wait(talk, idle, octets)
    talk.probes(sender, count, every=every, answered=False, octets=octets).idle(SETTLED_S)


def recovered_run(talk: Conversation, sender: str, octets: int, idle: float, count: int, every: float) -> None:
    """Probes of which only the last is answered."""
    wait(talk, idle, octets)
    talk.probes(sender, count, every=every, answered=False, octets=octets).probe(sender, octets=octets)


def unreachable_run(talk: Conversation, sender: str, octets: int, idle: float, count: int, every: float) -> None:
    """Probes that routers answer."""
    wait(talk, idle, octets)
    for _ in range(count):
        talk.probe(sender, "icmp", octets).idle(every)
    talk.idle(SETTLED_S)


def both_probe(talk: Conversation, octets: int, idle: float, apart: float) -> None:
    """The ends probe each other at nearly the same time."""
    wait(talk, idle, octets)
    first = talk.ask(CLIENT, octets)
    talk.idle(apart)
    second = talk.ask(SERVER, octets)
    talk.answer(first, "ack")
    talk.answer(second, "ack")
    talk.idle(2 * talk.rtt / 1e9 + 0.001)


def repeated_ack(talk: Conversation, sender: str) -> None:
    """An ACK that says nothing new; from one whose answer is awaited it would be that answer, however late."""
    talk.idle(SETTLED_S)
    asked = talk.built(other(sender))
    if not asked or asked[-1].is_answered:
        talk.acknowledge(sender)
    talk.idle(1)


def stall(talk: Conversation, sender: str, count: int, replied: bool) -> None:
    """The receiver stops reading for a while."""
    talk.data(sender, 700, window=0).persist(sender, count, reply_window=0 if replied else None)
    talk.idle(SETTLED_S).window_update(other(sender), 502)


def lost_answer(talk: Conversation, sender: str, octets: int, idle: float) -> None:
    """A probe whose answer passes the capture by."""
    wait(talk, idle, octets)
    talk.answer(talk.ask(sender, octets), "ack", captured=False)
    talk.idle(SETTLED_S)


IDLES = st.floats(1.1, 60)
COUNTS = st.integers(1, 4)
PACES = st.floats(1.0, 20)


def steps(octets: int, open_ends: list[str]) -> st.SearchStrategy[Step]:
    """One step of a connection of which `open_ends` may still send data."""
    data_from, fixed = st.sampled_from(open_ends), st.just(octets)
    runs = [
        st.builds(partial, st.just(run), sender=SENDERS, octets=fixed, idle=IDLES, count=COUNTS, every=PACES)
        for run in (lost_run, recovered_run, unreachable_run)
    ]
    fates = st.sampled_from(["", "lost", "copied", "unseen"])
    kinds = st.sampled_from(["ack", "ack", "data"] if len(open_ends) > 1 else ["ack"])
    return st.one_of(
        st.builds(partial, st.just(burst), sender=data_from, length=st.integers(1, 4000), fate=fates),
        st.builds(partial, st.just(silence), seconds=st.floats(0, 100)),
        st.builds(
            partial,
            st.just(rounds),
            sender=SENDERS,
            octets=fixed,
            idle=IDLES,
            count=COUNTS,
            kind=kinds,
            copies=st.sampled_from([1, 1, 2]),
        ),
        *runs,
        st.builds(partial, st.just(both_probe), octets=fixed, idle=IDLES, apart=st.floats(0, 0.5)),
        st.builds(partial, st.just(repeated_ack), sender=SENDERS),
        st.builds(partial, st.just(stall), sender=data_from, count=st.integers(1, 6), replied=st.booleans()),
        st.builds(partial, st.just(lost_answer), sender=SENDERS, octets=fixed, idle=IDLES),
    )


def nothing(talk: Conversation, closer: str) -> None:
    """The capture ends."""


def four_segments(talk: Conversation, closer: str) -> None:
    talk.fin(closer).idle(0.5).fin(other(closer))


def three_segments(talk: Conversation, closer: str) -> None:
    talk.fin(closer, acked=False).fin(other(closer))


def two_segments(talk: Conversation, closer: str) -> None:
    talk.fin(closer, acked=False).fin(other(closer), acked=False)


def lost_fin(talk: Conversation, closer: str) -> None:
    talk.fin(closer, arrives=False, captured=True)


def crossing_fins(talk: Conversation, closer: str) -> None:
    talk.simultaneous_close()


def abort(talk: Conversation, closer: str) -> None:
    talk.rst(closer)


def exhausted(talk: Conversation, closer: str) -> None:
    talk.idle(20).probes(closer, 3, every=5, answered=False).rst(closer)


def no_state(talk: Conversation, closer: str) -> None:
    talk.idle(20).probe(closer, "rst")


OPEN_ENDINGS = [
    *(nothing, four_segments, three_segments, two_segments, lost_fin, crossing_fins, abort, exhausted, no_state),
]
HALF_CLOSED_ENDINGS = [nothing, abort, exhausted, no_state]


def begin_capture(talk: Conversation, octets: int) -> None:
    """The capture starts in a silence, which both ends' answered probes end."""
    talk.idle(15).capture_begins().probe(CLIENT, octets=octets).idle(2).probe(SERVER, octets=octets)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Any order of bursts, silences, probes, losses, copies and closes."""
    octets = draw(st.sampled_from([0, 0, 1]))
    talk = Conversation(
        v6=draw(st.booleans()),
        timestamps=draw(st.booleans()),
        rtt=draw(st.sampled_from([0.0003, 0.04, 0.7])),
        at=draw(SENDERS),
        client_isn=draw(ISNS),
        server_isn=draw(ISNS),
        vlan=draw(st.sampled_from([None, 12])),
    )
    talk.handshake()
    for step in draw(st.lists(steps(octets, [CLIENT, SERVER]), max_size=8)):
        step(talk)
    if draw(st.booleans()):
        begin_capture(talk, octets)
    closer = draw(SENDERS)
    endings = OPEN_ENDINGS
    if draw(st.booleans()):
        talk.idle(0.2).fin(closer)
        for step in draw(st.lists(steps(octets, [other(closer)]), max_size=4)):
            step(talk)
        endings = HALF_CLOSED_ENDINGS
    talk.idle(draw(st.floats(0.1, 30)))
    draw(st.sampled_from(endings))(talk, closer)
    return talk
