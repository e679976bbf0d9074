"""Heartbeats of applications: uneven and without meaning, or without a reply any more."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from endpoints import Beats, Keepalive, Talk
from stage import Scenario, Stage

JITTER = 0.1
OTHER = {"client": "server", "server": "client"}


@dataclass
class Beating:
    """What one connection does, and when."""

    talk: Talk
    acts: list[tuple[float, Callable[[], None]]] = field(default_factory=list)


def pass_on(talk: Talk, sender: str, octets: bytes, reply: bytes = b"") -> None:
    """Send octets, and perhaps others back."""
    one, other = talk.end(sender), talk.end(OTHER[sender])
    one.sock.sendall(octets)
    other.receive(len(octets))
    if reply:
        other.sock.sendall(reply)
        one.receive(len(reply))


def act_in_turn(stage: Stage, plans: Sequence[Beating]) -> None:
    """Do what all of them do, in order of time."""
    for at, act in sorted((one for plan in plans for one in plan.acts), key=lambda one: one[0]):
        stage.until(at)
        act()


def uneven(
    talk: Talk, rng: random.Random, period: float, until: float, size: int, sender: str = "client", reply: str = "none"
) -> Beating:
    """Random octets at a pace that is a tenth off, with an echo, a reply, or nothing."""
    plan, at = Beating(talk), 0.0
    while (at := at + period * (1 + rng.uniform(-JITTER, JITTER))) < until:
        octets = rng.randbytes(size)
        back = {"none": b"", "echo": octets, "other": rng.randbytes(size // 2)}[reply]
        plan.acts.append((at, lambda octets=octets, back=back: pass_on(talk, sender, octets, back)))  # type: ignore[misc]
    talk.beats = Beats(sender, period, JITTER, len(plan.acts))
    return plan


def requests(talk: Talk, rng: random.Random, pause: tuple[float, float], until: float, even: bool) -> Beating:
    """A program that asks, thinks and asks again: requests of one length, or of many."""
    plan, at = Beating(talk), 0.0
    while (at := at + rng.uniform(*pause)) < until:
        size, back = (60 if even else rng.randint(40, 400)), rng.randint(100, 1200)
        plan.acts.append((at, lambda size=size, back=back: talk.exchange(size, back)))  # type: ignore[misc]
    return plan


def play_uneven(stage: Stage) -> None:
    """Three that beat, two that ask."""
    rng, end = random.Random(17), 42.0
    keepalive = Keepalive(time=9, intvl=3, probes=3)
    first = uneven(stage.connect(), rng, 4.2, end, 24)
    second = uneven(stage.connect(family=6, server_port=7001), rng, 3.1, end, 48, "server", "other")
    stage.client.sysctl(ipv4__tcp_timestamps=0)
    third = uneven(stage.connect(server_port=7002), rng, 5.3, end, 32, "client", "echo")
    fourth = requests(stage.connect(client=keepalive, server_port=7003), rng, (0.3, 9.0), end, even=True)
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    fifth = requests(stage.connect(client=keepalive, family=6, server_port=7004), rng, (2.0, 4.0), end, even=False)
    for talk in stage.talks:
        talk.exchange(rng.randint(200, 900), rng.randint(200, 900))
    act_in_turn(stage, [first, second, third, fourth, fifth])
    stage.until(end + 1)


def beat(talk: Talk, times: Sequence[float], replied: int, sender: str = "client", size: int = 16) -> Beating:
    """Even heartbeats, of which the first few are replied to."""
    plan = Beating(talk)
    for number, at in enumerate(times):
        reply = b"keepalive pong" if number < replied else b""
        plan.acts.append((at, lambda reply=reply: pass_on(talk, sender, bytes(size), reply)))  # type: ignore[misc]
    return plan


def close(talk: Talk, first: str) -> None:
    """Both ends, one first."""
    talk.end(first).close()
    talk.end(OTHER[first]).close()
    talk.outcome("closed", "fin", first)


def play_unreplied(stage: Stage) -> None:
    """The replies stop after a while, or there never were any."""
    every = [2.5 * number for number in range(1, 11)]
    one = beat(stage.connect(), every, 5)
    two = beat(stage.connect(family=6, server_port=7001), [at + 0.4 for at in every], 6, size=40)
    stage.client.sysctl(ipv4__tcp_timestamps=0)
    three = beat(stage.connect(server_port=7002), [at + 0.7 for at in every], 5)
    four = beat(stage.connect(server_port=7003), [at + 1.1 for at in every], 0)
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    five = beat(stage.connect(server_port=7004), [at + 1.5 for at in every], len(every))
    for talk in stage.talks:
        talk.exchange(120, 300)
    one.acts.append((27.0, lambda: close(one.talk, "client")))
    two.acts.append((28.0, lambda: close(two.talk, "server")))
    four.acts.append((28.2, lambda: close(four.talk, "client")))
    five.acts.append((28.4, lambda: close(five.talk, "server")))
    act_in_turn(stage, [one, two, three, four, five])
    three.talk.outcome("app_hung", "open")
    stage.until(29)


SCENARIOS = [
    Scenario(
        name="uneven-beats",
        title=(
            "Three applications send heartbeats of random octets, each up to a tenth of its period early or late; two "
            "others ask and are answered in a loop."
        ),
        look_at="One way, with a reply, with an echo. What is asked at any time, or in any length, is no heartbeat.",
        play=play_uneven,
    ),
    Scenario(
        name="beats-without-reply",
        findings=["heartbeat-missed"],
        title=(
            "Heartbeats that had replies have none any more, though they are acknowledged, until one end closes; "
            "others never had a reply, or have one to the end."
        ),
        look_at="The application is hung though its kernel is not, whoever closes afterwards.",
        play=play_unreplied,
    ),
]
