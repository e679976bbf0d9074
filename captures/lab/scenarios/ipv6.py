"""Answered probes over IPv6, then the link behind the router goes down and the router says so."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """The router's complaints do not shorten anything."""
    talk = stage.connect(client=Keepalive(time=3, intvl=5, probes=3), family=6)
    talk.exchange(130, 950)
    stage.until(10)
    stage.cut_server_link()
    stage.note("At 10 s the server's interface was set down.")
    stage.until(36)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


SCENARIO = Scenario(
    name="ipv6",
    title=(
        "A connection over IPv6 is kept alive until the server's link goes down; the router answers the "
        "probes with ICMPv6 address unreachable, and the client gives up after the last."
    ),
    look_at=(
        "Three seconds after a probe the router, which could not find the server's link-layer address, "
        "sends ICMPv6 destination unreachable with the probe inside. The client takes no notice until its "
        "count is used up."
    ),
    play=play,
    not_shown=["connections.0.state.server"],
)
