"""What timers show: settings near usual ones, probes lost before the tap, a SYN-ACK that was lost, two that ask."""

import threading

import wire
from endpoints import Keepalive, Talk
from network import ADDRESSES
from stage import Capture, Scenario, Stage

USUAL_AND_NEAR = (
    (6, 1, 30, 10),
    (4, 0, 31, 20),
    (4, 1, 20, 5),
    (6, 0, 21, 6),
    (4, 1, 22, 8),
    (6, 1, 10, 3),
    (4, 0, 11, 4),
    (4, 1, 15, 5),
    (6, 1, 16, 7),
)


def connect(
    stage: Stage, family: int, timestamps: int, client: Keepalive, server: Keepalive | None = None, port: int = 7000
) -> Talk:
    """A connection with timestamps or without, and something said on it."""
    stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
    talk = stage.connect(client, server, family=family, server_port=port)
    talk.exchange(90 + 20 * len(stage.talks), 400)
    return talk


def usual(stage: Stage) -> None:
    """Two rounds of the longest at least."""
    for family, timestamps, idle, interval in USUAL_AND_NEAR:
        connect(stage, family, timestamps, Keepalive(time=idle, intvl=interval, probes=4))
    stage.until(65.3)


def before_the_tap(stage: Stage) -> None:
    """The first probes after traffic never reach the server, where the recording is made."""
    for family, timestamps, settings in (
        (4, 1, Keepalive(time=5, intvl=2, probes=9)),
        (6, 1, Keepalive(time=6, intvl=1, probes=9)),
        (4, 0, Keepalive(time=7, intvl=2, probes=8)),
    ):
        connect(stage, family, timestamps, settings, port=7000 + settings.time)
    connect(stage, 4, 1, Keepalive(time=9, intvl=3, probes=5), port=7009)
    connect(stage, 6, 0, Keepalive(time=11, intvl=4, probes=5), port=7011)
    stage.router.drop("tcp sport 40001-40003")
    stage.until(8.75)
    stage.router.restore()
    stage.until(24)


def syn_ack_lost(stage: Stage) -> None:
    """Three clients and servers probe after a handshake that took a second; of a fourth the SYN itself was lost."""
    for family, timestamps, client, server in (
        (4, 1, None, Keepalive(time=8, intvl=3, probes=9)),
        (6, 1, Keepalive(time=7, intvl=2, probes=9), None),
        (4, 0, Keepalive(time=6, intvl=4, probes=9), Keepalive(time=9, intvl=2, probes=9)),
    ):
        stage.router.drop("tcp flags & (syn | ack) == syn | ack")
        made_after_all(stage, family, timestamps, client, server)
    stage.router.drop("tcp flags & (syn | ack) == syn")
    made_after_all(stage, 4, 1, Keepalive(time=5, intvl=2, probes=9), None)
    stage.until(24)


def made_after_all(
    stage: Stage, family: int, timestamps: int, client: Keepalive | None, server: Keepalive | None
) -> None:
    """Connect over a path that loses nothing more after half a second."""
    stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
    threading.Timer(0.5, stage.router.restore).start()
    stage.connect(client=client, server=server, family=family).exchange(140, 260)


def both_ask(stage: Stage) -> None:
    """Both ends probe; after a while two servers hear nothing any more, though they are heard."""
    for port, (family, timestamps, client, server) in enumerate(
        (
            (4, 1, Keepalive(time=4, intvl=2, probes=3), Keepalive(time=5, intvl=2, probes=9)),
            (6, 1, Keepalive(time=5, intvl=3, probes=2), Keepalive(time=4, intvl=1, probes=19)),
            (4, 0, Keepalive(time=4, intvl=1, probes=4), Keepalive(time=7, intvl=3, probes=9)),
            (6, 0, Keepalive(time=7, intvl=2, probes=4), Keepalive(time=3, intvl=2, probes=5)),
        ),
        7001,
    ):
        connect(stage, family, timestamps, client, server, port)
    stage.until(16.5)
    stage.router.drop("tcp sport 40001-40002")
    stage.until(32)
    for talk in stage.talks[:2]:
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def simultaneous(stage: Stage) -> None:
    """Both ends connect at once, and of three connections a SYN is lost."""
    losses = [
        wire.first_syn(ADDRESSES[role, family], port)
        for role, family, port in (
            ("client", 4, 40001),
            ("server", 6, 40002),
            ("client", 4, 40003),
            ("client", 4, 40005),
        )
    ]
    wire.slow_down(stage, 0.15, lambda frame: any(lose(frame) for lose in losses))
    settings = Keepalive(time=6, intvl=2, probes=4)
    for family, timestamps in ((4, 1), (6, 1), (4, 0), (6, 0)):
        for host in (stage.client, stage.server):
            host.sysctl(ipv4__tcp_timestamps=timestamps)
        talk = stage.connect_both(settings, family)
        talk.exchange(120, 340)
    for host in (stage.client, stage.server):
        host.sysctl(ipv4__tcp_timestamps=1)
    stage.connect(client=settings).exchange(120, 340)
    stage.sleep(12.2)
    for talk, first, other in ((stage.talks[0], "client", "server"), (stage.talks[3], "server", "client")):
        talk.end(first).close()
        stage.sleep(0.5)
        talk.end(other).close()
        talk.outcome("closed", "fin", first)


SCENARIOS = [
    Scenario(
        name="usual-and-near",
        title="Nine clients with idle times that are usual (10, 15, 20, 30 s), and others a second or so away.",
        look_at="Answered rounds last a little longer than the idle time, as the timer wheel of the kernel has it.",
        play=usual,
        settle_s=0.2,
    ),
    Scenario(
        name="lost-before-the-tap",
        title=(
            "Recorded at the server: of three clients the first two or three probes were lost on the way, of two "
            "others none."
        ),
        look_at="The first probes seen come after 9 s in all; later ones come sooner where the idle time is shorter.",
        play=before_the_tap,
        capture=Capture(vantage="server"),
        not_shown=[f"connections.{number}.settings.client.tcp_keepalive_time" for number in range(3)],
    ),
    Scenario(
        name="syn-ack-lost",
        title="The first SYN-ACK is lost three times, and a SYN once: four handshakes last a second.",
        look_at="The round trip is a fraction of a millisecond all the same, and the settings are what they are.",
        play=syn_ack_lost,
    ),
    Scenario(
        name="both-ask-one-heard",
        findings=["one-way-loss"],
        title=(
            "Both ends of four connections probe; from the middle on two servers do not hear their clients any more, "
            "and are still heard."
        ),
        look_at="A server's probes are answered in vain while the client's are not answered; the client gives up.",
        play=both_ask,
        shown_instead={f"connections.{number}.state.server": "UNKNOWN" for number in range(2)},
    ),
    Scenario(
        name="simultaneous-again",
        title=(
            "Both ends of four connections connect at once; a SYN of three of them is lost, as is the SYN of a fifth, "
            "ordinary connection."
        ),
        look_at="One connection each, whoever's SYN came again.",
        play=simultaneous,
        settle_s=0.8,
    ),
]
