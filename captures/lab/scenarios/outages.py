"""Paths in trouble: a link that is down, much loss, both ends giving up on each other."""

from collections.abc import Callable

from endpoints import Keepalive
from stage import Scenario, Stage

LOSS = "meta l4proto tcp numgen random mod 100 < "


def link_down(family: int, keepalive: Keepalive) -> Callable[[Stage], None]:
    """The server's link goes down, and the router tells the client that it cannot reach the server."""

    def play(stage: Stage) -> None:
        talk = stage.connect(client=keepalive, family=family)
        talk.exchange(100, 300)
        stage.until(1)
        stage.cut_server_link()
        stage.until(1 + keepalive.time + keepalive.intvl * keepalive.probes + 1.5)
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")

    play.__module__ = __name__
    return play


def loses(percent: int, family: int = 4) -> Callable[[Stage], None]:
    """Packets are lost at random in both directions, until shortly before the end."""

    def play(stage: Stage) -> None:
        talk = stage.connect(client=Keepalive(time=2, intvl=1, probes=30), family=family)
        talk.exchange(90, 450)
        stage.until(1)
        stage.router.drop(f"{LOSS}{percent}")
        stage.until(36)
        stage.router.restore()
        stage.until(42.3)
        talk.outcome("lossy_path", "open")

    play.__module__ = __name__
    return play


def both_give_up(stage: Stage) -> None:
    """Neither hears the other any more; the client is the less patient one."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=3), server=Keepalive(time=5, intvl=3, probes=3))
    talk.exchange(200, 400)
    stage.until(1)
    stage.router.silence("server")
    stage.until(17.5)
    talk.server.gave_up_too = True
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


RANDOM = ["connections.0.probes.client", "connections.0.answers.client", "findings"]
SCENARIOS = [
    Scenario(
        name="link-down",
        title="The server's link goes down; the router says so by ICMP, and the client's TCP probes on.",
        look_at=(
            "ICMP host unreachable comes back for probes, seconds late, and shortens nothing: RFC 1122 calls it a "
            "soft error."
        ),
        play=link_down(4, Keepalive(time=4, intvl=4, probes=3)),
        expected_probes={"client": 3},
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="link-down-ipv6",
        title="The server's link goes down; the router says so by ICMPv6, and the client's TCP probes on.",
        look_at="ICMPv6 address unreachable comes back for probes and shortens nothing.",
        play=link_down(6, Keepalive(time=5, intvl=4, probes=2)),
        expected_probes={"client": 2},
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="lossy-little",
        findings=["aggressive-keepalive"],
        title="The path loses a fifth of the packets in each direction, in IPv6, and the connection survives.",
        look_at="After an answered probe the next comes 2 s later, after an unanswered one 1 s later.",
        play=loses(20, family=6),
        chance=RANDOM,
    ),
    Scenario(
        name="lossy-much",
        findings=["aggressive-keepalive"],
        title="The path loses nearly half of the packets in each direction, and the connection survives.",
        look_at="Only three probes in ten get an answer; with a count of 30 that is enough.",
        play=loses(45),
        chance=RANDOM,
    ),
    Scenario(
        name="both-give-up",
        title="The path is cut; both ends probe, and both give up on each other, the client first.",
        look_at="At the client there is its own side of the story alone: three probes and RST,ACK.",
        play=both_give_up,
        expected_probes={"client": 3},
        not_shown=["connections.0.state.server"],
    ),
]
