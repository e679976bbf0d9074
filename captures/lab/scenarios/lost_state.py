"""The server forgets the connection without a word and answers the next probe with a reset."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """One answered probe, then the server loses its memory, then a probe that draws a reset."""
    talk = stage.connect(client=Keepalive(time=5, intvl=3, probes=3))
    talk.exchange(64, 512)
    stage.until(8)
    talk.server.forget()
    stage.until(12)
    talk.outcome("lost_state", "rst", "server", "reply_to_probe")


SCENARIO = Scenario(
    name="lost-state",
    title=(
        "The server loses the connection silently, as after a crash, and answers the client's next probe with a reset."
    ),
    look_at=(
        "The first probe is answered by an ACK. The second is answered by a bare RST: no ACK flag, its "
        "sequence number taken from the probe's acknowledgement number, no options, window 0."
    ),
    play=play,
    expected_probes={"client": 2},
)
