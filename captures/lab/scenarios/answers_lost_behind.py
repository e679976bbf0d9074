"""Answers that pass the point of capture and are lost behind it: the prober gives up on a peer that answered all."""

from bare import deafen, without_timestamps
from endpoints import Keepalive
from stage import Capture, Scenario, Stage

LOSES, LOSES_FOR_A_WHILE, RESETS = 7100, 7200, 7300


def lose_from(stage: Stage, port: int) -> None:
    """From now on lose what the server sends from this port, once the router has it."""
    stage.router.drop(f"tcp sport {port}")


def play(stage: Stage) -> None:
    """Three probers give up, three resets are lost; near misses end otherwise, or go on."""
    four = stage.connect(client=Keepalive(time=4, intvl=2, probes=3), server_port=LOSES)
    with without_timestamps(stage):
        bare = stage.connect(client=Keepalive(time=5, intvl=3, probes=2), server_port=LOSES, family=6)
        six = stage.connect(client=Keepalive(time=6, intvl=1, probes=5), server_port=LOSES)
    stage.connect(client=Keepalive(time=4, intvl=2, probes=8), server_port=LOSES_FOR_A_WHILE)
    aborted = stage.connect(client=Keepalive(time=4, intvl=3, probes=9), server_port=7400)
    gone = stage.connect(client=Keepalive(time=5, intvl=2, probes=3), server_port=7500)
    unheard = stage.connect(client=Keepalive(time=9, intvl=3, probes=3), server_port=RESETS)
    unheard_too = stage.connect(client=Keepalive(time=10, intvl=2, probes=3), server_port=RESETS, family=6)
    with without_timestamps(stage):
        unheard_bare = stage.connect(client=Keepalive(time=11, intvl=2, probes=3), server_port=RESETS)
    heard = stage.connect(client=Keepalive(time=12, intvl=2, probes=3), server_port=7600)
    for number, talk in enumerate(stage.talks):
        talk.exchange(120 - 9 * number, 64 + 30 * number)
    stage.until(7)
    # What is asked must get as far as the recording.
    deafen(stage, "server", [gone.server.address[1]])
    for port in (LOSES, LOSES_FOR_A_WHILE, RESETS):
        lose_from(stage, port)
    stage.until(8)
    for talk in (unheard, unheard_too, unheard_bare, heard):
        talk.server.abort()
    stage.until(8.6)
    stage.router.restore()
    for port in (LOSES, LOSES_FOR_A_WHILE):
        lose_from(stage, port)
    stage.until(13.2)
    aborted.client.abort()
    stage.until(16.4)
    stage.router.restore()
    lose_from(stage, LOSES)
    stage.until(26)
    for talk in (four, bare, six, gone):
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
    stage.talks[3].outcome("healthy", "open")
    aborted.outcome("aborted", "rst", "client", "abort")
    heard.outcome("aborted", "rst", "server", "abort")
    for talk in (unheard, unheard_too, unheard_bare):
        talk.outcome("lost_state", "rst", "server", "reply_to_probe")


SCENARIO = Scenario(
    name="answers-lost-behind",
    title="The router records what the server sends, and loses some of it before it reaches the client.",
    look_at=(
        "Three clients give up on a server that answered every probe, as the pace of the probes shows, and the echoed "
        "timestamps where there are any. Three resets of the server do not arrive either: what the client asks later "
        "is answered with a bare RST. Near misses: answers lost for a while, an application that aborts, a server that "
        "is gone, a reset that arrives."
    ),
    play=play,
    findings=["one-way-loss"],
    standing=["keepalive-exhausted-but-alive"],
    not_shown=["connections.0.state.server", "connections.5.state.server"],
    capture=Capture(vantage="router", interface="rs"),
)
