"""An outage shorter than the client's patience."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Three probes are lost, the fourth is answered."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=6))
    talk.exchange(240, 360)
    stage.until(1)
    stage.router.silence("server")
    stage.until(8)
    stage.router.restore()
    stage.until(17)
    talk.exchange(40, 40)
    stage.until(18)
    talk.outcome("lossy_path", "open")


SCENARIO = Scenario(
    name="recovered",
    title=(
        "The path is down for seven seconds; three probes go unanswered, the next one is answered and the "
        "connection lives on."
    ),
    look_at=(
        "Unanswered probes come every 2 s, answered ones every 3 s. Timestamps of the recording are in nanoseconds."
    ),
    play=play,
    capture=Capture(options=("--nano",)),
)
