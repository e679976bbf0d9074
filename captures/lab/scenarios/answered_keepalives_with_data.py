"""Probes are answered, data flows in between, and the connection is closed in order."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """Three spells of idleness around two exchanges."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(120, 800)
    stage.until(11)
    talk.exchange(90, 1500)
    stage.until(16)
    talk.exchange(200, 60)
    stage.until(24)
    talk.client.close()
    stage.sleep(0.05)
    talk.server.close()
    talk.outcome("closed", "fin", "client")


SCENARIO = Scenario(
    name="answered-keepalives-with-data",
    title=(
        "An idle connection is kept alive by answered probes; data restarts the idle clock; both sides close in order."
    ),
    look_at=(
        "Each probe is one below the client's next sequence number, and is answered within the round-trip "
        "time by an ACK of that next sequence number. Every exchange of data puts the next probe off by a "
        "full 3 s."
    ),
    play=play,
)
