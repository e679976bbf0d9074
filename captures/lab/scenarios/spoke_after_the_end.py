"""The prober gave up and its RST was lost; its peer, who was cut off and lives, speaks later."""

from bare import deafen, hear, without_timestamps
from endpoints import Keepalive, Talk
from stage import Scenario, Stage

CUT_PORTS, DEAF_PORT = (7000, 7002), 7001
CUT, HEALED = 1.2, 14.6
# When the resent segment would be sent again, had the application waited: 200 ms, doubled six times.
NO_MORE = 13.8


def later(stage: Stage, second: float, talk: Talk, role: str, octets: int) -> None:
    """The end that was given up sends bytes, or with none of them a FIN, and is told so by an RST."""
    stage.until(second)
    if octets:
        talk.end(role).send(octets)
    else:
        talk.end(role).shut()


def play(stage: Stage) -> None:
    """Nine connections lose their path for 13 s: four are given up, two resent in vain, three end or live otherwise."""
    data = stage.connect(client=Keepalive(time=3, intvl=2, probes=3))
    fin = stage.connect(client=Keepalive(time=5, intvl=1, probes=4), family=6)
    with without_timestamps(stage):
        to_server = stage.connect(server=Keepalive(time=2, intvl=3, probes=2), server_port=DEAF_PORT)
        fin_to_server = stage.connect(server=Keepalive(time=4, intvl=2, probes=3), server_port=DEAF_PORT, family=6)
        resent = stage.connect(client=Keepalive(time=30, intvl=5, probes=3))
    resent_fin = stage.connect(client=Keepalive(time=30, intvl=5, probes=3), family=6)
    outlasted = stage.connect(client=Keepalive(time=3, intvl=2, probes=9), server_port=7002)
    aborted = stage.connect(client=Keepalive(time=6, intvl=2, probes=3), family=6)
    heard = stage.connect(client=Keepalive(time=30, intvl=5, probes=3))
    for number, talk in enumerate(stage.talks):
        talk.exchange(80 + 7 * number, 210 - 11 * number)
    stage.until(CUT)
    for port in CUT_PORTS:
        stage.router.drop(f"tcp sport {port}")
        stage.router.drop(f"tcp dport {port}")
    # What the server asks must get as far as the recording.
    deafen(stage, "client", [talk.client.address[1] for talk in (to_server, fin_to_server)])
    resent.client.send(333)
    resent_fin.client.shut()
    stage.until(4)
    aborted.client.abort()
    stage.until(12.4)
    heard.client.send(222)
    stage.until(NO_MORE)
    resent.client.abort()
    resent_fin.client.abort()
    stage.until(HEALED)
    stage.router.restore()
    hear(stage, "client")
    later(stage, 15.3, data, "server", 140)
    later(stage, 15.5, fin, "server", 0)
    later(stage, 15.7, to_server, "client", 60)
    later(stage, 15.9, fin_to_server, "client", 0)
    later(stage, 16.1, aborted, "server", 75)
    heard.server.receive(222)
    stage.until(17)
    heard.client.abort()
    stage.until(20)
    for talk, by in ((data, "client"), (fin, "client"), (to_server, "server"), (fin_to_server, "server")):
        talk.outcome("dead_peer", "rst", by, "keepalive_exhausted")
    for talk in (resent, resent_fin):
        talk.outcome("retransmission_timeout", "rst", "client")
    outlasted.outcome("lossy_path", "open")
    aborted.outcome("aborted", "rst", "client", "abort")
    heard.outcome("aborted", "rst", "client", "abort")


SCENARIO = Scenario(
    name="spoke-after-the-end",
    findings=["keepalive-exhausted-but-alive"],
    title="Nine connections lose their path for a while; peers that were given up meanwhile speak afterwards.",
    look_at=(
        "Data and FINs that come after the RST, and the RSTs that they draw, do not change why the connection ended. "
        "Two applications resend and then reset. Of the near misses one connection outlasts the outage, one was "
        "aborted before its first probe, and one was heard again before it was aborted."
    ),
    play=play,
    not_shown=["connections.4.state.server", "connections.5.state.server"],
)
