"""Packets that the path itself makes copies of, and probes that only look like copies."""

import wire
from endpoints import Keepalive
from stage import Capture, Scenario, Stage

# IP version, timestamps, settings, and how late the copy of each packet comes; None: no copies.
CONNECTIONS = (
    (4, 1, Keepalive(time=4, intvl=1, probes=5), 0.0),
    (6, 1, Keepalive(time=5, intvl=2, probes=5), 0.04),
    (4, 0, Keepalive(time=3, intvl=2, probes=6), 0.0),
    (6, 0, Keepalive(time=4, intvl=2, probes=4), 0.35),
    (4, 0, Keepalive(time=6, intvl=3, probes=4), 0.7),
    (4, 1, Keepalive(time=3, intvl=1, probes=8), None),
    (6, 0, Keepalive(time=4, intvl=1, probes=8), None),
    (4, 0, Keepalive(time=5, intvl=1, probes=7), None),
)
ONE_WAY_S = 0.38
FIRST_PORT = 7001


def play(stage: Stage) -> None:
    """Answered probes, then unanswered ones; the round trip is hardly shorter than the shortest interval."""
    late = {FIRST_PORT + number: late for number, (*_, late) in enumerate(CONNECTIONS) if late is not None}
    wire.slow_down(stage, ONE_WAY_S, copy=wire.by_port(late))
    stage.losses_unknown = "the path made copies"
    for number, (family, timestamps, settings, _) in enumerate(CONNECTIONS):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        stage.connect(client=settings, family=family, server_port=FIRST_PORT + number).exchange(150, 450)
    stage.until(21)
    stage.server.run("nft", "add table inet hang")
    stage.server.run("nft", "add chain inet hang input { type filter hook input priority 0; policy drop; }")
    stage.note("After 21 s the server's host dropped all that arrived there.")
    stage.until(40.5)
    for talk in stage.talks:
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


SCENARIO = Scenario(
    name="copies-on-the-path",
    findings=["duplicate-capture"],
    title=(
        "A path of 0.76 s there and back copies all packets of five clients, at once or up to 0.7 s later; three "
        "others probe as often as that."
    ),
    look_at="A copy is no further probe and no shorter interval; a probe that comes a second after another is one.",
    play=play,
    capture=Capture(vantage="router", interface="rs"),
    not_shown=[f"connections.{number}.state.server" for number in range(len(CONNECTIONS))],
)
