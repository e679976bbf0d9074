"""The server closes, the client never does, and its probes are answered all the same."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """The application of the client overlooks the end of the stream."""
    talk = stage.connect(client=Keepalive(time=4, intvl=3, probes=5))
    talk.exchange(150, 1100)
    stage.until(2)
    talk.server.close()
    stage.until(16)
    talk.outcome("close_wait_leak", "half_closed", "server")


SCENARIO = Scenario(
    name="close-wait-leak",
    title=(
        "The server closes the connection; the client acknowledges the FIN but never closes, and its "
        "keepalive hides the leak."
    ),
    look_at=(
        "The server's FIN is acknowledged and no FIN comes back. The client, in CLOSE-WAIT, goes on "
        "probing, and the server's kernel, in FIN-WAIT-2 with no application behind it, goes on answering."
    ),
    play=play,
)
