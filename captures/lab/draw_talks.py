"""Stories drawn at random that need a stage of their own: late words, uneven heartbeats, simultaneous opens."""

import random
from collections.abc import Callable

import wire
from endpoints import Beats, Keepalive, Talk
from network import ADDRESSES, FAMILY_WORDS
from stage import Capture, Scenario, Stage

LOOK_AT = "Nothing but whether it is understood."
PROGRAMS = ["tcpdump", "dumpcap"]
AGGRESSIVE = "aggressive-keepalive"


def _keepalive(rng: random.Random) -> Keepalive:
    return Keepalive(time=rng.randint(2, 5), intvl=rng.randint(1, 4), probes=rng.randint(2, 5))


def late_word(rng: random.Random, number: int) -> Scenario:
    """The prober gave up and its RST was lost; the peer, who lives, has something to say later."""
    client = _keepalive(rng)
    family, vantage = rng.choice([4, 6]), rng.choice(["client", "router"])
    last_word, answer_arrives = rng.choice(["data", "FIN"]), rng.random() < 0.5
    pause, later, after = rng.uniform(0.5, 3), rng.uniform(0.5, 4), rng.uniform(1.2, 3)
    sizes = (rng.randint(1, 3000), rng.randint(1, 6000))

    def play(stage: Stage) -> None:
        talk = stage.connect(client=client, family=family)
        talk.exchange(*sizes)
        stage.until(pause)
        stage.router.silence("server")
        stage.sleep(2 * client.time + client.intvl * client.probes + 1.6)
        stage.router.restore()
        if not answer_arrives:
            stage.router.drop(f"{FAMILY_WORDS[family]} saddr {ADDRESSES['client', family]}")
        stage.sleep(later)
        if last_word == "FIN":
            talk.server.shut()
        else:
            talk.server.send(sizes[0])
        stage.sleep(after)
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")

    return Scenario(
        name=f"random-{number}-late_word",
        title=f"{late_word.__doc__} Drawn at random: {last_word}, its answer {'' if answer_arrives else 'not '}heard.",
        look_at=LOOK_AT,
        play=play,
        capture=Capture(vantage=vantage, program=rng.choice(PROGRAMS)),
        not_shown=["connections.0.state.server"],
        chance=["findings"],
        findings=[AGGRESSIVE, "keepalive-exhausted-but-alive"],
    )


def beats(rng: random.Random, number: int) -> Scenario:
    """An application sends heartbeats of random bytes, none exactly on time."""
    slow = rng.random() < 0.5  # slow enough to be silent for longer than --idle-after between two
    period, jitter = rng.uniform(12, 13) if slow else rng.uniform(2.5, 6), rng.uniform(0.05, 0.15)
    # The less even they are, the more of them it takes to tell them from chance.
    sender, sent = rng.choice(["client", "server"]), 6 + (jitter > 0.1) if slow else rng.randint(9, 13)
    # A longer reply would bring news; what nobody replies to, and is not always as long, may be readings of a sensor.
    size = rng.randint(8, 100)
    reply = rng.choice([0, rng.randint(8, size)])
    uneven = rng.choice([0, 0, 8]) if reply else 0
    family, vantage = rng.choice([4, 6]), rng.choice(["client", "router", "server"])
    first = (rng.randint(1, 3000), rng.randint(1, 6000))
    pauses = [period * (1 + rng.uniform(-jitter, jitter)) for _ in range(sent)]
    sizes = [size + rng.randint(0, uneven) for _ in range(sent)]
    tail = rng.uniform(10.4, 0.92 * period - 0.4) if slow else period * rng.uniform(0.4, 0.85)
    seed = rng.random()

    def play(stage: Stage) -> None:
        octets = random.Random(seed)
        talk = stage.connect(family=family)
        talk.exchange(*first)
        one, other = talk.end(sender), talk.end("server" if sender == "client" else "client")
        at = 0.0
        for pause, length in zip(pauses, sizes, strict=True):
            at += pause
            stage.until(at)
            _pass_on(one.sock.sendall, other.receive, octets.randbytes(length))
            if reply:
                stage.sleep(octets.uniform(0.001, 0.05))
                _pass_on(other.sock.sendall, one.receive, octets.randbytes(reply))
        stage.until(at + tail)
        stage.chatter("client", "server")
        talk.beats = [Beats(sender, period, jitter, sent)]

    return Scenario(
        name=f"random-{number}-beats",
        title=f"{beats.__doc__} Drawn at random: every {period:.1f} s, give or take {100 * jitter:.0f} %.",
        look_at=LOOK_AT,
        play=play,
        capture=Capture(vantage=vantage, program=rng.choice(PROGRAMS)),
    )


def _pass_on(send: Callable[[bytes], None], receive: Callable[[int], None], octets: bytes) -> None:
    send(octets)
    receive(len(octets))


def simultaneous(rng: random.Random, number: int) -> Scenario:
    """Both ends connect at once; one SYN may be lost."""
    client, one_way, family = _keepalive(rng), rng.uniform(0.03, 0.25), rng.choice([4, 6])
    lost, vantage = rng.choice([None, None, "client", "server"]), rng.choice(["client", "router", "server"])
    ending = rng.choice([_stay, _close, _abort])
    sizes = (rng.randint(1, 3000), rng.randint(1, 6000))

    def play(stage: Stage) -> None:
        wire.slow_down(stage, one_way, wire.first_syn(ADDRESSES[lost, family]) if lost else None)
        talk = stage.connect_both(client, family)
        talk.exchange(*sizes)
        stage.sleep(2 * (max(client.time, client.intvl) + 2 * one_way) + 0.8)
        # Not while a probe is on its way.
        talk.exchange(*sizes)
        stage.sleep(0.4 * client.time)
        ending(stage, talk, one_way)

    return Scenario(
        name=f"random-{number}-simultaneous",
        title=f"{simultaneous.__doc__} Drawn at random: {f'that of the {lost} is' if lost else 'none is'}.",
        look_at=LOOK_AT,
        play=play,
        capture=Capture(vantage=vantage, program=rng.choice(PROGRAMS)),
        settle_s=0.4 + 2 * one_way,
        chance=["findings"],
        findings=[AGGRESSIVE],
    )


def _stay(stage: Stage, talk: Talk, one_way: float) -> None:
    pass


def _close(stage: Stage, talk: Talk, one_way: float) -> None:
    talk.client.close()
    stage.sleep(2 * one_way + 0.2)
    talk.server.close()
    stage.sleep(3 * one_way)
    talk.outcome("closed", "fin", "client")


def _abort(stage: Stage, talk: Talk, one_way: float) -> None:
    talk.server.abort()
    stage.sleep(2 * one_way)
    talk.outcome("aborted", "rst", "server", "abort")


KINDS = {"late_word": late_word, "beats": beats, "simultaneous": simultaneous}
