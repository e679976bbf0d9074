"""Scenarios drawn at random: odd seconds, both ends probing, late recordings, loss, tunnels, firewalls, long paths.

What needs another stage is in `draw_talks.py`, what is recorded otherwise in `draw_sets.py`.
"""

import random
from collections.abc import Callable, Sequence

import draw_sets
import draw_talks
import overlay
import wire
from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

# The default ring of an "any" recording has room for eight packets.
BUFFER = ("-B", "16384")
LOSS = "meta l4proto tcp numgen random mod 100 < 35"
# Probes, so that a lossy path does not end a connection by chance; and so often that some are lost.
PATIENT, OFTEN_S = 20, 2
# What is half closed for less than ten seconds at the end is no leak yet.
LEAK_S = 11.5
COUNTS = [f"connections.0.{what}.{role}" for what in ("probes", "answers") for role in ("client", "server")]


def draw(seed: int, count: int | None = None, kinds: Sequence[str] = ()) -> list[Scenario]:
    """As many scenarios, the same for the same seed, each kind of story in turn; by default one of each."""
    rng = random.Random(seed)
    kinds = kinds or [*STORIES, *draw_talks.KINDS, *draw_sets.KINDS]
    return [_drawn(rng, number, kinds[number % len(kinds)]) for number in range(count or len(kinds))]


def every_kind() -> list[str]:
    """The names of all kinds; those of what is recorded otherwise may be followed by the story, as in `places-slow`."""
    told = [f"{kind}-{story}" for kind in draw_sets.KINDS for story in STORIES if _fits(kind, story)]
    return [*STORIES, *draw_talks.KINDS, *draw_sets.KINDS, *told]


def _fits(kind: str, story: str) -> bool:
    return kind != "places" or story not in draw_sets.ONE_PLACE_ALONE


def _drawn(rng: random.Random, number: int, kind: str) -> Scenario:
    if kind in draw_talks.KINDS:
        return draw_talks.KINDS[kind](rng, number)
    kind, _, story = kind.partition("-")
    if kind not in draw_sets.KINDS:
        return _scenario(rng, number, kind)
    story = story or rng.choice([story for story in STORIES if _fits(kind, story)])
    return draw_sets.KINDS[kind](rng, _scenario(rng, number, story))


def _keepalive(rng: random.Random) -> Keepalive:
    return Keepalive(time=rng.randint(2, 9), intvl=rng.randint(1, 5), probes=rng.randint(1, 7))


class Clock:
    """Where a story stands in time, and the two settings it turns on."""

    def __init__(self, stage: Stage, settings: Keepalive, at: float) -> None:
        self.stage, self.settings, self.at = stage, settings, at

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds
        self.stage.until(self.at)

    @property
    def round(self) -> float:
        """Time enough for a probe, an interval and a little more."""
        return self.settings.time + self.settings.intvl + 1.4


def answered(talk: Talk, clock: Clock) -> None:
    """Silence, a word, silence."""
    clock.wait(2 * clock.round)
    talk.exchange(31, 47)
    clock.wait(clock.settings.time * 1.5 + 0.4)


def dead(talk: Talk, clock: Clock) -> None:
    """The server is out of reach for good."""
    clock.stage.router.silence("server")
    clock.wait(2 * clock.settings.time + clock.settings.intvl * clock.settings.probes + 1.6)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def recovered(talk: Talk, clock: Clock) -> None:
    """The server is out of reach for less than the client's patience."""
    clock.stage.router.silence("server")
    # Back before the last of the probes, which are counted from the exchange just before.
    clock.wait(clock.settings.time + clock.settings.intvl * (clock.settings.probes - 2) + 0.4 - clock.at)
    clock.stage.router.restore()
    clock.wait(clock.round)
    talk.exchange(30, 40)
    clock.wait(0.7)
    talk.outcome("lossy_path", "open")


def lost(talk: Talk, clock: Clock) -> None:
    """The server forgets the connection."""
    clock.wait(0.5)
    talk.server.forget()
    clock.wait(2 * clock.settings.time + 1.5)
    talk.outcome("lost_state", "rst", "server", "reply_to_probe")


def lossy(talk: Talk, clock: Clock) -> None:
    """A third of the packets is lost, and the end is whole."""
    clock.stage.router.drop(LOSS)
    clock.wait(25)
    clock.stage.router.restore()
    clock.wait(clock.round)
    talk.outcome("lossy_path", "open")


def leaked(talk: Talk, clock: Clock) -> None:
    """The server closes, the client does not."""
    talk.server.close()
    clock.wait(max(2 * clock.round, LEAK_S))
    # A recording lasts until its last packet.
    clock.stage.chatter("client", "server")
    talk.outcome("close_wait_leak", "half_closed", "server")


def closed(talk: Talk, clock: Clock) -> None:
    """Both close after a silence."""
    clock.wait(2 * clock.round)
    talk.client.close()
    clock.wait(0.2)
    talk.server.close()
    clock.wait(0.3)
    talk.outcome("closed", "fin", "client")


def aborted(talk: Talk, clock: Clock) -> None:
    """The server resets after a silence."""
    clock.wait(2 * clock.round)
    talk.server.abort()
    clock.wait(0.4)
    talk.outcome("aborted", "rst", "server", "abort")


def forgotten(talk: Talk, clock: Clock) -> None:
    """A firewall forgets the connection before the first probe."""
    clock.wait(2 * clock.settings.time + clock.settings.intvl * clock.settings.probes + 1.6)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def reset(talk: Talk, clock: Clock) -> None:
    """A firewall forgets the connection before the first probe, and resets it."""
    clock.wait(2 * clock.settings.time + 1.6)
    talk.outcome("middlebox_reset", "rst", "middlebox", "reply_to_probe")


def unplugged(talk: Talk, clock: Clock) -> None:
    """The server's link goes down."""
    clock.stage.cut_server_link()
    clock.wait(2 * clock.settings.time + clock.settings.intvl * clock.settings.probes + 1.6)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def slow(talk: Talk, clock: Clock) -> None:
    """The path is long, and nothing is lost on it."""
    clock.wait(3 * clock.round)
    talk.exchange(12, 900)
    # Until shortly before the next probe, so that the last answers are in.
    clock.wait(clock.settings.time - 0.5)


Story = Callable[[Talk, Clock], None]
STORIES: dict[str, Story] = {
    "answered": answered,
    "dead": dead,
    "recovered": recovered,
    "lost": lost,
    "lossy": lossy,
    "leaked": leaked,
    "closed": closed,
    "aborted": aborted,
    "forgotten": forgotten,
    "reset": reset,
    "unplugged": unplugged,
    "slow": slow,
}
# Where the silence begins while only the client knows: the server's end must not probe, nor be the one recorded.
OUT_OF_REACH = ("dead", "forgotten", "reset", "unplugged")
ONE_SIDED = (*OUT_OF_REACH, "lost", "recovered", "lossy", "slow")
SEEN_AT_THE_CLIENT = (*OUT_OF_REACH, "recovered", "lost", "lossy")
# What happens on the way, not at the ends, must not be hidden in a tunnel.
ON_THE_PATH = ("lossy", "forgotten", "reset", "slow")
FIREWALLS = {"forgotten": "drop", "reset": "reset"}
# What is to be found besides what the verdict says.
FINDINGS = {
    "reset": ("middlebox-idle-timeout", "keepalive-slower-than-middlebox"),
    "dead": ("user-timeout-overrides-count",),
    "unplugged": ("user-timeout-overrides-count",),
    "forgotten": ("user-timeout-overrides-count",),
}
MAY_START_LATE = ("answered", "lossy")


def _scenario(rng: random.Random, number: int, kind: str) -> Scenario:
    client = _keepalive(rng)
    if kind == "recovered":
        client = Keepalive(client.time, client.intvl, max(3, client.probes))
    if kind == "lossy":
        client = Keepalive(OFTEN_S, client.intvl, PATIENT)
    if kind in FIREWALLS:
        client = Keepalive(rng.randint(4, 9), client.intvl, client.probes)
    server = _keepalive(rng) if kind not in ONE_SIDED and rng.random() < 0.5 else None
    tunnel = rng.choice([overlay.vxlan, overlay.gre]) if kind not in ON_THE_PATH and rng.random() < 0.3 else None
    family = 4 if tunnel else rng.choice([4, 6])
    vantage = rng.choice(["client", "router"] if kind in SEEN_AT_THE_CLIENT else ["client", "router", "server"])
    # On a router in trouble both interfaces would show a packet that only one of them forwards; on a slow one, a packet
    # twice, half a second apart.
    anywhere = vantage == "router" and kind not in (*SEEN_AT_THE_CLIENT, "slow") and rng.random() < 0.5
    late = kind in MAY_START_LATE and rng.random() < 0.5
    pause = 0.5 if kind == "recovered" else rng.uniform(0.5, 3)
    sizes = (rng.randint(1, 3000), rng.randint(1, 6000))
    vni = rng.randint(1, 1 << 20)
    one_way = rng.uniform(0.05, 0.45)  # longer ones repeat the SYN, and hide the round trip

    def play(stage: Stage) -> None:
        if tunnel is not None:
            tunnel(stage, vni)
        if kind in FIREWALLS:
            stage.router.forget_after(2, FIREWALLS[kind])
        if kind == "slow":
            wire.slow_down(stage, one_way)
        talk = stage.connect(client=client, server=server, family=family)
        talk.exchange(*sizes)
        clock = Clock(stage, client, 0)
        clock.wait(pause)
        if late:
            clock.wait(1.3)
            stage.start_capture()
        STORIES[kind](talk, clock)

    inside = f" in {tunnel.__name__}" if tunnel else ""
    return Scenario(
        name=f"random-{number}-{kind}",
        title=f"{STORIES[kind].__doc__} Drawn at random{inside}.",
        look_at="Nothing but whether it is understood.",
        play=play,
        capture=Capture(
            vantage=vantage,
            interface="any" if anywhere else None,
            options=BUFFER if anywhere else (),
            program="tcpdump" if anywhere else rng.choice(["tcpdump", "dumpcap"]),
            starts_later=late,
        ),
        not_shown=[
            *(["connections.0.state.server"] if kind in OUT_OF_REACH else []),
            # Without the silence before the first probe there are rounds alone, and those show the longer of the two.
            *(
                f"connections.0.settings.{role}.tcp_keepalive_time"
                for role, prober in (("client", client), ("server", server))
                if late and prober is not None and prober.intvl >= prober.time
            ),
        ],
        # A few packets captured twice, few probes, or probes further apart call for no finding.
        chance=[*(COUNTS if kind == "lossy" else []), "findings"],
        findings=[*FINDINGS.get(kind, ()), "aggressive-keepalive", *(["duplicate-capture"] if anywhere else [])],
    )
