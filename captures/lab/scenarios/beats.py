"""Heartbeats of applications: uneven and without meaning, or without a reply any more."""

import random

from endpoints import Beats, Keepalive, Talk
from stage import Scenario, Stage
from timetable import OTHER, Timetable, close

JITTER = 0.1
UNTIL = 42.0
EVERY = [2.5 * number for number in range(1, 11)]


def pass_on(talk: Talk, sender: str, octets: bytes, reply: bytes = b"") -> None:
    """Send bytes, and perhaps others back."""
    one, other = talk.end(sender), talk.end(OTHER[sender])
    one.sock.sendall(octets)
    other.receive(len(octets))
    if reply:
        other.sock.sendall(reply)
        one.receive(len(reply))


def uneven(table: Timetable, talk: Talk, period: float, size: int, sender: str, reply: str) -> None:
    """Random bytes at a pace that is a tenth off, with an echo, a reply, or nothing."""
    rng, at, sent = random.Random(size), 0.0, 0
    while (at := at + period * (1 + rng.uniform(-JITTER, JITTER))) < UNTIL:
        octets = rng.randbytes(size)
        back = {"none": b"", "echo": octets, "other": rng.randbytes(size // 2)}[reply]
        table.at(at, pass_on, talk, sender, octets, back)
        sent += 1
    talk.beats = [Beats(sender, period, JITTER, sent)]


def requests(table: Timetable, talk: Talk, pause: tuple[float, float], even: bool) -> None:
    """A program that asks, thinks and asks again: requests of one length, or of many."""
    rng, at = random.Random(talk.client.address[1]), 0.0
    while (at := at + rng.uniform(*pause)) < UNTIL:
        table.at(at, talk.exchange, 60 if even else rng.randint(40, 400), rng.randint(100, 1200))


def play_uneven(stage: Stage) -> None:
    """Three that beat, two that ask."""
    table = Timetable(stage)
    keepalive = Keepalive(time=9, intvl=3, probes=3)
    uneven(table, stage.connect(), 4.2, 24, "client", "none")
    uneven(table, stage.connect(family=6, server_port=7001), 3.1, 48, "server", "other")
    stage.client.sysctl(ipv4__tcp_timestamps=0)
    uneven(table, stage.connect(server_port=7002), 5.3, 32, "client", "echo")
    requests(table, stage.connect(client=keepalive, server_port=7003), (0.3, 9.0), even=True)
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    requests(table, stage.connect(client=keepalive, family=6, server_port=7004), (2.0, 4.0), even=False)
    for number, talk in enumerate(stage.talks):
        talk.exchange(200 + 130 * number, 900 - 140 * number)
    table.play(UNTIL + 1)


def beat(table: Timetable, talk: Talk, late: float, replied: int, size: int = 16) -> Talk:
    """Even heartbeats of the client, of which the first few are replied to."""
    talk.exchange(120, 300)
    for number, at in enumerate(EVERY):
        table.at(at + late, pass_on, talk, "client", bytes(size), b"keepalive pong" if number < replied else b"")
    return talk


def play_unreplied(stage: Stage) -> None:
    """The replies stop after a while, or there never were any."""
    table = Timetable(stage)
    table.at(27, close, beat(table, stage.connect(), 0, 5), "client")
    table.at(28, close, beat(table, stage.connect(family=6, server_port=7001), 0.4, 6, 40), "server")
    stage.client.sysctl(ipv4__tcp_timestamps=0)
    beat(table, stage.connect(server_port=7002), 0.7, 5).outcome("app_hung", "open")
    table.at(28.2, close, beat(table, stage.connect(server_port=7003), 1.1, 0), "client")
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    table.at(28.4, close, beat(table, stage.connect(server_port=7004), 1.5, len(EVERY)), "server")
    table.play(29)


SCENARIOS = [
    Scenario(
        name="uneven-beats",
        title=(
            "Three applications send heartbeats of random bytes, each up to a tenth of its period early or late; two "
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
