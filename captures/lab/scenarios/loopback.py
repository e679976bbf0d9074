"""Both ends on one host, recorded on its loopback device."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Keepalive on both ends."""
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3), server=Keepalive(time=6, intvl=4, probes=5))
    talk.exchange(128, 4096)
    stage.until(14)
    talk.server.close()
    stage.sleep(0.05)
    talk.client.close()
    talk.outcome("closed", "fin", "server")


SCENARIO = Scenario(
    name="loopback",
    title="Client and server on one host, both with keepalive, recorded on the loopback device.",
    look_at=(
        "Each packet is in the recording once, although it leaves and arrives at the same device. The "
        "addresses of both ends are equal: only the ports tell them apart. TCP checksums are not filled in."
    ),
    play=play,
    capture=Capture(vantage="both"),
    single_host=True,
)
