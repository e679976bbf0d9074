"""The recording begins in an idle connection: only probes and answers are in it."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Record the second half of a long silence."""
    talk = stage.connect(client=Keepalive(time=4, intvl=3, probes=5))
    talk.exchange(2000, 3000)
    stage.until(6)
    stage.start_capture()
    stage.until(27)


SCENARIO = Scenario(
    name="mid-connection",
    title=("A recording that was begun long after the handshake: an idle connection, its probes and their answers."),
    look_at=(
        "No segment but probes and answers. That the first ones are probes shows only when the answer to "
        "the first acknowledges one more than its sequence number."
    ),
    play=play,
    capture=Capture(starts_later=True),
)
