"""Segmentation offload left on: segments far larger than the link allows are in the recording."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """A bulk transfer, then silence."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(200, 90_000)
    stage.until(10)


SCENARIO = Scenario(
    name="segmentation-offload",
    title="A transfer with segmentation offload left on, and answered probes after it.",
    look_at=(
        "Segments of many times the MSS, because the recording sees them before they are cut; TCP checksums "
        "of the client's packets are wrong, because they would be filled in later."
    ),
    play=play,
    # Segments of 64 kB fill the default ring.
    capture=Capture(options=("-B", "16384")),
    offload=True,
)
