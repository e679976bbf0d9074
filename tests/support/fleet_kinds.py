"""One connection of each kind that a fleet has, as a conversation; a device on the path forgets after `DEVICE_S`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from conversation import CLIENT, SERVER, Conversation

SECOND = 10**9
DEVICE_S = 350.0
SLEEPY = (400, 20, 5)  # settings of those whose first probe is due when the device has forgotten
SYN_RETRIES_S = (1.0, 2.0, 4.0)  # RFC 6298 2.1 and 5.5
RETRANSMISSIONS = 6
HEARTBEAT_S = 30.0
DEVICE_TTL = 62  # the device is nearer than the peer, whose packets arrive with 57


class Plan(NamedTuple):
    """Who probes with which settings (idle time, interval, count), and until when things go on."""

    prober: str
    settings: tuple[int, int, int]
    until: int


def opened(talk: Conversation) -> Conversation:
    """A handshake, a request and its reply."""
    return talk.handshake().data(CLIENT, 200).data(SERVER, 400)


def probed(talk: Conversation, plan: Plan, idle: float) -> Conversation:
    """Answered probes as long as the plan says; each is due `idle` seconds after the answer before."""
    while talk.now + round(idle * SECOND) < plan.until:
        talk.idle(idle).probe(plan.prober)
    return talk


def healthy(talk: Conversation, plan: Plan) -> None:
    """Idle, with answered probes."""
    probed(opened(talk), plan, plan.settings[0])


def closed(talk: Conversation, plan: Plan) -> None:
    """Used, idle with answered probes, then closed by both ends."""
    probed(opened(talk), plan, plan.settings[0]).idle(3).data(CLIENT, 100).data(SERVER, 900).idle(1)
    talk.fin(CLIENT).idle(0.01).fin(SERVER)


def dead_peer(talk: Conversation, plan: Plan) -> None:
    """The peer dies: the prober gives up after its probes."""
    idle, interval, count = plan.settings
    probed(opened(talk), plan, idle).idle(idle)
    talk.probes(plan.prober, count, every=interval, answered=False).rst(plan.prober)


def lost_state(talk: Conversation, plan: Plan) -> None:
    """The peer answers a probe with an RST: it was started anew."""
    probed(opened(talk), plan, plan.settings[0]).idle(plan.settings[0]).probe(plan.prober, "rst")


def unprotected(talk: Conversation, plan: Plan) -> None:
    """Silent to the end, and nobody probes."""
    opened(talk)


def heartbeat(talk: Conversation, plan: Plan) -> None:
    """Redis PING and its reply every so often; no probe is ever due."""
    opened(talk)
    while talk.now + round(HEARTBEAT_S * SECOND) < plan.until:
        talk.idle(HEARTBEAT_S).send(CLIENT, "PA", b"*1\r\n$4\r\nPING\r\n")
        talk.idle(talk.rtt / SECOND).send(SERVER, "PA", b"+PONG\r\n")
        talk.idle(talk.rtt / SECOND).acknowledge(CLIENT)


def close_wait(talk: Conversation, plan: Plan) -> None:
    """One end closes, the other one (the prober of the plan, which does not probe) never does."""
    opened(talk).idle(5).fin(SERVER if plan.prober == CLIENT else CLIENT)


def device_reset_probe(talk: Conversation, plan: Plan) -> None:
    """The first probe comes when the device has forgotten the connection: the device answers with an RST."""
    opened(talk).idle(plan.settings[0]).ask(CLIENT)
    _device_resets(talk, bare=True)


def device_reset_timer(talk: Conversation, plan: Plan) -> None:
    """The device resets the silent connection when the time is up."""
    opened(talk).idle(DEVICE_S)
    _device_resets(talk, bare=False)


def _device_resets(talk: Conversation, *, bare: bool) -> None:
    server = talk.sides[SERVER]
    server.host = replace(server.host, ttl=DEVICE_TTL)
    talk.rst(SERVER, bare=bare)


def device_drop(talk: Conversation, plan: Plan) -> None:
    """What is sent after the device has forgotten gets nowhere."""
    opened(talk).idle(DEVICE_S + 50).data(CLIENT, 300, arrives=False).retransmissions(CLIENT, RETRANSMISSIONS)


def refused(talk: Conversation, plan: Plan) -> None:
    """Nobody listens."""
    talk.refused()


def no_answer(talk: Conversation, plan: Plan) -> None:
    """Nobody is there."""
    talk.syn(arrives=False, captured=True)
    for wait in SYN_RETRIES_S:
        talk.idle(wait).syn(arrives=False, captured=True)


KINDS: dict[str, Callable[[Conversation, Plan], None]] = {
    kind.__name__: kind
    for kind in (
        healthy,
        closed,
        dead_peer,
        lost_state,
        unprotected,
        heartbeat,
        close_wait,
        device_reset_probe,
        device_reset_timer,
        device_drop,
        refused,
        no_answer,
    )
}
LASTING = ("healthy", "heartbeat")  # to the end of the captures
