"""Recorded at a mirror port of the router, which delivers the frames with VLAN tags."""

from collections.abc import Callable, Sequence

import wire
from endpoints import Keepalive
from stage import Capture, Scenario, Stage

CUSTOMER, SERVICE = 0x8100, 0x88A8  # IEEE 802.1Q, 802.1ad


def idle(family: int) -> Callable[[Stage], None]:
    """An answered probe, then a server that is out of reach."""

    def play(stage: Stage) -> None:
        talk = stage.connect(client=Keepalive(time=5, intvl=2, probes=3), family=family)
        talk.exchange(310, 620)
        stage.until(6.5)
        stage.router.silence("server")
        stage.until(19)
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")

    play.__module__ = __name__
    return play


def scenario(name: str, title: str, family: int, tags: Sequence[tuple[int, int]]) -> Scenario:
    """One kind of tagging."""
    return Scenario(
        name=name,
        title=title,
        look_at="Behind the tags: one answered probe, three unanswered ones, and RST,ACK.",
        play=idle(family),
        prepare=lambda stage: wire.mirror(stage, tags),
        capture=Capture(vantage="router", interface=wire.MIRROR_TAP),
        expected_probes={"client": 4},
        not_shown=["connections.0.state.server"],
    )


SCENARIOS = [
    scenario("vlan", "A dead peer at a mirror port with an 802.1Q tag.", 4, [(CUSTOMER, 207)]),
    scenario(
        "qinq",
        "A dead peer in IPv6 at a mirror port with two tags, 802.1ad outside and 802.1Q inside.",
        6,
        [(SERVICE, 1107), (CUSTOMER, 33)],
    ),
]
