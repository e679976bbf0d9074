"""Heartbeats of protocols, byte by byte as these have them, over a path that loses nothing and one that does."""

import threading
from dataclasses import dataclass

import programs
from endpoints import Beats, Talk
from stage import Capture, Scenario, Stage
from timetable import OTHER

from scenarios.servers import SERVER, VARIES, write

UNTIL = 43.0
LOSS = "meta l4proto tcp numgen random mod 100 < 6"
EXACT = 0.02  # what nothing puts off is as exact as a busy machine
HTTP2 = b"\0\0\x08\6%c\0\0\0\0abcdefgh"
SMPP = b"\0\0\0\x10%c\0\0\x15\0\0\0\0\0\0\0\7"
SEALED = b"\x17\3\3\0%c"
KAFKA = b"\0\0\0\x2e\0\x0c\0\4\0\0\0\7\0\4rack" + b"group-and-member-of-it-at-last"


@dataclass(frozen=True)
class Kind:
    """Who sends what, how often, and what comes back."""

    protocol: str
    sender: str
    period: float
    ping: bytes
    pong: bytes = b""


KINDS = (
    Kind("websocket", "server", 3.37, b"\x89\0", b"\x8a\x80\1\2\3\4"),
    Kind("http2", "client", 2.71, HTTP2 % 0, HTTP2 % 1),
    Kind("redis", "client", 2.13, b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    Kind("mqtt", "client", 4.19, b"\xc0\0", b"\xd0\0"),
    Kind("nats", "server", 3.03, b"PING\r\n", b"PONG\r\n"),
    Kind("smpp", "client", 2.57, SMPP % 0, SMPP % 0x80),
    Kind("iec104", "server", 2.93, b"\x68\4\x43\0\0\0", b"\x68\4\x83\0\0\0"),
    Kind("kafka", "client", 3.11, KAFKA, b"\0\0\0\x0a\0\0\0\7\0\0\0\0\0\0"),
    Kind("irc", "server", 3.61, b"PING :irc.example.net\r\n", b"PONG :irc.example.net\r\n"),
    Kind("amqp", "client", 2.39, b"\x08\0\0\0\0\0\0\xce"),
    Kind("stomp", "client", 2.83, b"\n"),
    Kind("erlang", "server", 3.19, b"\0\0\0\0"),
    Kind(
        "periodic",
        "client",
        2.41,
        b"\x17\3\3\0\x20" + b"sealed by nobody in earnest, now",
        b"\x17\3\3\0\x13" + b"?" * 19,
    ),
)


def keep_beating(stage: Stage, talk: Talk, kind: Kind, start: float) -> None:
    """Send heartbeats of one kind to the end, none sooner than the one before has been replied to."""
    one, other = talk.end(kind.sender), talk.end(OTHER[kind.sender])
    at, sent = start, 0
    while (at := at + kind.period) < UNTIL:
        stage.until(at)
        one.sock.sendall(kind.ping)
        other.receive(len(kind.ping))
        if kind.pong:
            other.sock.sendall(kind.pong)
            one.receive(len(kind.pong))
        sent += 1
    talk.beats = [Beats(kind.sender, kind.period, EXACT, sent, kind.protocol, sent if kind.pong else 0)]


def play_protocols(stage: Stage, loss: str | None = None) -> None:
    """A connection for each kind, and a thread for each connection."""
    talks = [stage.connect(family=4 if number % 2 else 6, server_port=7000 + number) for number in range(len(KINDS))]
    for number, talk in enumerate(talks):
        talk.exchange(150 + 30 * number, 400 + 20 * number)
    if loss is not None:
        stage.router.drop(loss)
    threads = [
        threading.Thread(target=keep_beating, args=(stage, talk, kind, 1 + 0.07 * number))
        for number, (talk, kind) in enumerate(zip(talks, KINDS, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if loss is not None:
        stage.router.restore()
    stage.until(UNTIL + 1.5)
    stage.chatter("client", "server")


def play_paused(stage: Stage) -> None:
    """One of two subscribers is stopped, and started again when its broker has closed."""
    config = write(stage, "mosquitto.conf", f"listener 1883 {SERVER}\nallow_anonymous true\n")
    programs.serve(stage, 1883, "mosquitto", "-c", config)
    paused = programs.start(stage, "client", "mosquitto_sub", "-h", SERVER, "-k", "5", "-t", "one", "-i", "one")
    talk, *_ = programs.adopt(stage, 1)
    talk.outcome("healthy", "half_closed", "server")
    stage.sleep(23)
    paused.send_signal(19)  # SIGSTOP: its kernel acknowledges, and it says nothing
    stage.sleep(13)
    programs.note_versions(stage, ["dpkg-query", "-W", "mosquitto", "mosquitto-clients"])


SCENARIOS = [
    Scenario(
        name="heartbeats-of-protocols",
        title="Thirteen protocols keep connections alive, each with its own bytes and its own odd period.",
        look_at="Those with bytes of their own are named, and two by their rhythm as well: a line feed, four zeros.",
        play=play_protocols,
    ),
    Scenario(
        name="heartbeats-over-loss",
        title="The same over a path that loses six packets of a hundred.",
        look_at="What was lost was sent again: counts and periods are the same.",
        play=lambda stage: play_protocols(stage, LOSS),
    ),
    Scenario(
        name="mosquitto-paused",
        findings=["heartbeat-missed"],
        title="An MQTT subscriber with a keepalive of 5 s is stopped; its broker closes after 1.5 times that.",
        look_at="The subscriber's kernel acknowledges the FIN; the subscriber says no more.",
        play=play_paused,
        capture=Capture(vantage="server"),
        chance=VARIES,
    ),
]
