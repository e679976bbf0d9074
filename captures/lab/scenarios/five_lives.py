"""One 4-tuple, used again four times, after every kind of end."""

from endpoints import Keepalive, Talk
from stage import Scenario, Stage

PORT = 40001
SETTINGS = Keepalive(time=3, intvl=1, probes=3)


def connect(stage: Stage, at: float) -> Talk:
    """The next connection of the same ends."""
    stage.until(at)
    talk = stage.connect(client=SETTINGS, client_port=PORT)
    talk.exchange(60, 90)
    return talk


def play(stage: Stage) -> None:
    """Closed, aborted, forgotten by the server, forgotten by the client, alive."""
    first = connect(stage, 0)
    stage.until(4.5)
    first.server.close()
    stage.sleep(0.1)
    first.client.close()
    stage.sleep(0.2)
    first.outcome("closed", "fin", "server")
    first.note()

    second = connect(stage, 6)
    stage.until(7)
    second.client.abort()
    stage.sleep(0.2)
    second.outcome("aborted", "rst", "client", "abort")
    second.note()

    third = connect(stage, 8)
    stage.until(9)
    third.server.forget()
    stage.until(12.5)
    third.outcome("lost_state", "rst", "server", "reply_to_probe")
    third.note()

    fourth = connect(stage, 13)
    stage.until(14)
    fourth.client.forget()
    fourth.outcome("lost_state", "rst", "client")

    connect(stage, 15)
    fourth.server.note_error()
    # The kernel's table lists the new connection under the same 4-tuple.
    fourth.client.state = fourth.server.state = "CLOSED"
    stage.until(22.5)


SCENARIO = Scenario(
    name="five-lives",
    title="One 4-tuple is used five times, after a close, an abort, and the loss of state at either end.",
    look_at="Five SYNs that open a connection, each with a story of its own behind it.",
    play=play,
)
