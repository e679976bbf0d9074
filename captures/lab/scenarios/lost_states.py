"""A server that no longer knows the connection says so late, or to data."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def late(stage: Stage) -> None:
    """The server restarts: out of reach for a while, then back without the connection."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=6))
    talk.exchange(130, 260)
    stage.until(1)
    stage.router.silence("server")
    stage.until(6.2)
    talk.server.forget()
    stage.router.restore()
    stage.until(9.5)
    talk.outcome("lost_state", "rst", "server", "reply_to_probe")


def to_data(stage: Stage) -> None:
    """The client asks a question of a server that has restarted in between."""
    talk = stage.connect(client=Keepalive(time=6, intvl=2, probes=3), family=6)
    talk.exchange(190, 620)
    stage.until(8)
    talk.server.forget()
    stage.until(9)
    talk.client.send(80)
    stage.until(10)
    talk.outcome("lost_state", "rst", "server", "reply_to_data")


def to_the_server(stage: Stage) -> None:
    """It is the client that restarted, and the server that asks."""
    talk = stage.connect(server=Keepalive(time=4, intvl=3, probes=5))
    talk.exchange(100, 2000)
    stage.until(5.5)
    talk.client.forget()
    stage.until(10)
    talk.outcome("lost_state", "rst", "client", "reply_to_probe")


SCENARIOS = [
    Scenario(
        name="lost-state-late",
        title="The server is out of reach for a while and comes back without the connection.",
        look_at="Two probes without an answer, then one that draws an RST: the server has restarted.",
        play=late,
        expected_probes={"client": 3},
    ),
    Scenario(
        name="lost-state-data",
        title="The server forgot an IPv6 connection, and says so when the client sends data.",
        look_at="An answered probe, then data whose answer is an RST with the number that the data acknowledged.",
        play=to_data,
        capture=Capture(vantage="router"),
    ),
    Scenario(
        name="lost-state-client",
        title="The client forgot the connection, and the server's probe finds out.",
        look_at="The server probes; its second probe draws an RST from the client.",
        play=to_the_server,
        capture=Capture(vantage="server"),
        expected_probes={"server": 2},
    ),
]
