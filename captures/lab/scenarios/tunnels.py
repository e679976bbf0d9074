"""The same story inside of two tunnels: VXLAN by the kernel, GRE by hand."""

from collections.abc import Callable

import overlay
from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def story(stage: Stage) -> None:
    """An answered probe, then a server that is out of reach."""
    talk = stage.connect(client=Keepalive(time=4, intvl=1, probes=3))
    talk.exchange(330, 1200)
    stage.until(6.5)
    stage.router.silence("server")
    stage.until(14.5)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def inside(tunnel: Callable[[Stage, int], None], number: int) -> Callable[[Stage], None]:
    """The story in such a tunnel."""

    def play(stage: Stage) -> None:
        tunnel(stage, number)
        story(stage)

    play.__module__ = __name__
    return play


def scenario(name: str, title: str, play: Callable[[Stage], None]) -> Scenario:
    """One of the two, recorded between the hosts."""
    return Scenario(
        name=name,
        title=title,
        look_at=(
            "The router forwards IPv6; the connection between the IPv4 addresses inside is what is analysed. One "
            "probe is answered, three are not, then the client gives up."
        ),
        play=play,
        capture=Capture(vantage="router"),
        expected_probes={"client": 4},
        not_shown=["connections.0.state.server"],
    )


SCENARIOS = [
    scenario("vxlan", "A dead peer inside of VXLAN, recorded outside of it.", inside(overlay.vxlan, 42)),
    scenario("gre", "A dead peer inside of GRE with a key, recorded outside of it.", inside(overlay.gre, 0xBEEF)),
]
