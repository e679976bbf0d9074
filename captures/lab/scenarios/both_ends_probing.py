"""Both ends have keepalive on, with different settings."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Nothing but an exchange and silence."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4), server=Keepalive(time=5, intvl=3, probes=3))
    talk.exchange(75, 425)
    stage.until(23)


SCENARIO = Scenario(
    name="both-ends-probing",
    title=("Client and server both probe, each in its own rhythm; neither's probes count as life for the other."),
    look_at=(
        "Two streams of probes interleave, every 3 s and every 5 s. A probe that arrives does not restart "
        "the receiver's own idle clock, because it lies below the window. The file is pcapng, written by "
        "dumpcap."
    ),
    play=play,
    capture=Capture(program="dumpcap"),
)
