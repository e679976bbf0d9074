"""The server falls silent; the client asks four times and gives up."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """Three, two, four: probes at 3, 5, 7, 9 s of silence, reset at 11 s."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(180, 900)
    stage.until(1)
    stage.router.silence("server")
    stage.until(13)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


SCENARIO = Scenario(
    name="dead-peer",
    title=(
        "The server becomes unreachable while the connection is idle; the client's probes go unanswered "
        "until it gives up with a reset."
    ),
    look_at=(
        "The last packet from the server acknowledges the exchange. After 3 s of silence four probes "
        "follow, 2 s apart and identical but for the timestamp: no payload, one below the next sequence "
        "number. One interval after the fourth comes RST,ACK with the next sequence number itself. The "
        "server, which heard nothing, is still ESTABLISHED."
    ),
    play=play,
    expected_probes={"client": 4},
    not_shown=["connections.0.state.server"],
)
