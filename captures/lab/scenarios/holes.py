"""A recording with a hole in it: what was said before the silence is missing."""

import threading

import wire
from endpoints import Keepalive, Talk
from stage import Scenario, Stage

ONE_WAY_S = 0.25


def connect(stage: Stage, family: int, timestamps: int, keepalive: Keepalive | None) -> Talk:
    """A connection, over which nothing has been said yet."""
    stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
    return stage.connect(client=keepalive, family=family)


def play(stage: Stage) -> None:
    """The hole begins in the middle of a handshake, and ends when all data has been acknowledged."""
    wire.slow_down(stage, ONE_WAY_S)
    connect(stage, 6, 1, Keepalive(time=6, intvl=2, probes=4))
    connect(stage, 4, 0, Keepalive(time=7, intvl=3, probes=4))
    letters = connect(stage, 4, 1, None)
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    stage.until(2)
    half = threading.Thread(target=connect, args=(stage, 4, 1, Keepalive(time=5, intvl=2, probes=4)))
    half.start()
    stage.sleep(0.12)
    stage.pause_capture()
    half.join()
    stage.talks[-1].handshake = "partial"
    connect(stage, 6, 0, Keepalive(time=8, intvl=2, probes=4))
    for talk in stage.talks:
        talk.client.send(240)
    for talk in stage.talks:
        talk.server.receive(240)
        talk.server.send(610)
    for talk in stage.talks:
        talk.client.receive(610)
    stage.sleep(2 * ONE_WAY_S)
    stage.resume_capture()
    stage.note("The recording was interrupted from 2.1 s on until all data had been acknowledged.")
    for second in (8, 11.5, 16, 21.5):
        stage.until(second)
        letters.client.send(1)
        letters.server.receive(1)
    stage.until(24.6)


SCENARIO = Scenario(
    name="hole-before-probes",
    findings=["capture-gap"],
    title=(
        "Five connections and a recording that misses what was said on them: two are recorded from their handshake, "
        "one from its SYN, one not at all; on the fifth single bytes are sent."
    ),
    look_at=(
        "Probes of a number far above all that was seen, whose answers acknowledge one more. Single bytes of data "
        "look the same but for the next one's number."
    ),
    play=play,
    settle_s=0.9,
)
