"""The client has closed its half and keeps the socket; its probes carry the sequence number of its FIN."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """A half-close that the server never returns."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(300, 200)
    stage.until(2)
    talk.client.shut()
    stage.until(15.5)
    talk.outcome("close_wait_leak", "half_closed", "client")


SCENARIO = Scenario(
    name="fin-wait-2",
    title=("The client shuts down its sending half and waits; the server stays in CLOSE-WAIT and answers the probes."),
    look_at=(
        "The probes have the sequence number of the FIN itself, one below the next one: the FIN counts as one byte."
    ),
    play=play,
)
