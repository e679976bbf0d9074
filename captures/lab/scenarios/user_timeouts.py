"""TCP_USER_TIMEOUT where it cuts sooner than one would think, and where it ends a connection without a word."""

from endpoints import Keepalive
from stage import Scenario, Stage

BACKGROUND = "A datagram to the router and the ICMP error that it draws show that the recording went on."


def below_idle(stage: Stage) -> None:
    """The timeout is over before the first probe is sent, and ends the connection one interval after it."""
    talk = stage.connect(client=Keepalive(time=6, intvl=3, probes=9, user_timeout_s=2.5))
    talk.exchange(120, 240)
    stage.until(1)
    stage.router.silence("server")
    stage.until(11.5)
    talk.outcome("dead_peer", "rst", "client", "user_timeout")


def pending(stage: Stage) -> None:
    """Data waits for its acknowledgement: no probes, and no reset at the end."""
    talk = stage.connect(client=Keepalive(time=3, intvl=1, probes=3, user_timeout_s=7))
    talk.exchange(150, 150)
    stage.until(1)
    stage.router.silence("server")
    talk.client.send(320)
    stage.until(22)
    stage.chatter()
    talk.outcome("retransmission_timeout", "timeout", "client")


def closed_window(stage: Stage) -> None:
    """The server does not read, its kernel answers every probe, and the connection ends all the same."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4, user_timeout_s=9), receive_buffer=2304)
    talk.exchange(100, 100)
    stage.until(1)
    talk.client.send(16_000)
    stage.until(30)
    stage.chatter()
    talk.outcome("zero_window_stall", "timeout", "client")


SCENARIOS = [
    Scenario(
        name="user-timeout-below-idle",
        findings=["user-timeout-overrides-count"],
        title="TCP_USER_TIMEOUT is shorter than the idle time: one probe is all that the server gets.",
        look_at=(
            "A probe after 6 s, and RST,ACK one interval after it, though the count is 9 (a count of 1 would look "
            "the same): the timeout of 2.5 s is looked at when the second probe is due."
        ),
        play=below_idle,
        expected_probes={"client": 1},
        not_shown=["connections.0.state.server", "connections.0.settings.client.user_timeout_s"],
        shown_instead={
            "connections.0.ending.why": "keepalive_exhausted",
            "connections.0.settings.client.tcp_keepalive_probes": 1,
        },
    ),
    Scenario(
        name="user-timeout-data",
        title="TCP_USER_TIMEOUT ends a connection whose data is not acknowledged, without a word.",
        look_at="Retransmissions at doubling intervals, then nothing: no probe, no reset. " + BACKGROUND,
        play=pending,
        expected_probes={"client": 0},
        not_shown=["connections.0.state.client", "connections.0.state.server"],
    ),
    Scenario(
        name="user-timeout-zero-window",
        title="TCP_USER_TIMEOUT ends a connection whose window stays closed, though every probe is answered.",
        look_at=(
            "Window probes at doubling intervals, answered with window 0; after 9 s they end, and no reset says "
            "why. " + BACKGROUND
        ),
        play=closed_window,
        not_shown=["connections.0.ending.by", "connections.0.settings.client.user_timeout_s"],
        shown_instead={"connections.0.ending.how": "open", "connections.0.state.client": "ESTABLISHED"},
    ),
]
