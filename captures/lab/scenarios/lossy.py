"""A quarter of the packets is lost at random in both directions, and the connection survives."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """The path is mended before the end, so that the last probes are answered."""
    talk = stage.connect(client=Keepalive(time=2, intvl=1, probes=20))
    talk.exchange(110, 880)
    stage.until(1)
    stage.router.drop("meta l4proto tcp numgen random mod 100 < 25")
    stage.until(42)
    stage.router.restore()
    stage.until(48)
    talk.outcome("lossy_path", "open")


SCENARIO = Scenario(
    name="lossy",
    findings=["aggressive-keepalive"],
    title=(
        "The path loses a quarter of the packets in each direction, at random; probes go unanswered now and "
        "then, and later ones are answered."
    ),
    look_at=(
        "After an answered probe the next comes 2 s later, after an unanswered one 1 s later. Whether the "
        "probe or its answer was lost cannot be seen at the client."
    ),
    play=play,
    chance=["connections.0.probes.client", "connections.0.answers.client", "findings"],
)
