"""TCP_USER_TIMEOUT ends a run of probes before their count does."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Four, three, nine, but 8 s at most: two probes, and the third tick is past the limit."""
    talk = stage.connect(client=Keepalive(time=4, intvl=3, probes=9, user_timeout_s=8))
    talk.exchange(333, 444)
    stage.until(1)
    stage.router.silence("server")
    stage.until(13)
    talk.outcome("dead_peer", "rst", "client", "user_timeout")


SCENARIO = Scenario(
    name="user-timeout",
    title=("The server becomes unreachable; TCP_USER_TIMEOUT makes the client give up after two probes of nine."),
    look_at=(
        "At 4 s and 7 s of silence there are probes. At 10 s, the first tick past the user timeout of 8 s, "
        "comes RST,ACK. (A count of 2 would look the same.) Each packet is cut after 54 bytes: the TCP "
        "options are not in the recording."
    ),
    play=play,
    capture=Capture(options=("-s", "54")),
    expected_probes={"client": 2},
    not_shown=["connections.0.state.server", "connections.0.settings.client.user_timeout_s"],
    # Two probes and a reset would look the same with a count of 2.
    shown_instead={
        "connections.0.ending.why": "keepalive_exhausted",
        "connections.0.settings.client.tcp_keepalive_probes": 2,
    },
)
