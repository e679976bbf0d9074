"""Two hundred connections between two hosts, each with one of seven fates."""

import random
from collections.abc import Callable

from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

PROBING = Keepalive(time=5, intvl=2, probes=2)
# Connections to this port lose their path.
CUT_PORT = 7100
FATES = {
    "healthy": 55,
    "dead_peer": 40,
    "closed": 30,
    "unprotected": 25,
    "aborted": 20,
    "close_wait_leak": 20,
    "lost_state": 10,
}
# In an order without meaning, the same every time.
ORDER = [fate for fate, count in FATES.items() for _ in range(count)]
random.Random(2026).shuffle(ORDER)


def close(talk: Talk) -> None:
    """Both ends in turn."""
    talk.client.close()
    talk.server.close()
    talk.outcome("closed", "fin", "client")


def abort(talk: Talk) -> None:
    """The client resets."""
    talk.client.abort()
    talk.outcome("aborted", "rst", "client", "abort")


def leak(talk: Talk) -> None:
    """The server closes alone."""
    talk.server.close()
    talk.outcome("close_wait_leak", "half_closed", "server")


def forget(talk: Talk) -> None:
    """The server loses it."""
    talk.server.forget()
    talk.outcome("lost_state", "rst", "server", "reply_to_probe")


EVENTS: dict[str, Callable[[Talk], None]] = {
    "closed": close,
    "aborted": abort,
    "close_wait_leak": leak,
    "lost_state": forget,
}


def play(stage: Stage) -> None:
    """All are made in the first seconds, have their events after, and are left alone."""
    talks = []
    for number, fate in enumerate(ORDER):
        keepalive = None if fate == "unprotected" else PROBING
        talk = stage.connect(client=keepalive, server_port=CUT_PORT if fate == "dead_peer" else 7000)
        talk.exchange(20 + number % 40, 30 + number % 70)
        talks.append(talk)
        stage.until(number / len(ORDER))
    stage.until(1.5)
    for direction in ("sport", "dport"):
        stage.router.drop(f"tcp {direction} {CUT_PORT}")
    for fate, talk in zip(ORDER, talks, strict=True):
        if fate in EVENTS:
            EVENTS[fate](talk)
            stage.sleep(0.005)
        elif fate == "dead_peer":
            talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
        elif fate == "unprotected":
            talk.outcome("unprotected", "open")
    stage.until(14.5)


SCENARIO = Scenario(
    name="crowd",
    findings=["keepalive-exhausted-but-alive"],
    title="Two hundred connections with seven fates, mixed.",
    look_at="Which of them are dead, leaked, reset, or well.",
    play=play,
    capture=Capture(options=("-s", "96")),
    not_shown=[f"connections.{number}.state.server" for number, fate in enumerate(ORDER) if fate == "dead_peer"],
)
