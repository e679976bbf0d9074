"""Ordinary ends: together, one after the other, half, with bytes unread, to late data."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def half_closed(stage: Stage) -> None:
    """The client says that it is done and reads on for a while, probing."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4), server=Keepalive(time=5, intvl=2, probes=4))
    talk.exchange(100, 200)
    stage.until(1)
    talk.client.shut()
    stage.until(8.5)
    talk.server.send(400)
    talk.client.receive(400)
    stage.until(9)
    talk.server.close()
    stage.until(9.3)
    talk.client.close()
    talk.outcome("closed", "fin", "client")


def unread(stage: Stage) -> None:
    """The server closes with bytes that it has not read: the kernel resets."""
    talk = stage.connect()
    talk.exchange(100, 100)
    stage.until(0.5)
    talk.client.send(900)
    stage.until(1)
    talk.server.close()
    stage.until(1.6)
    talk.outcome("aborted", "rst", "server", "abort")


def late_data(stage: Stage) -> None:
    """The client writes to a server whose application has closed."""
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3))
    talk.exchange(80, 160)
    stage.until(0.5)
    talk.server.close()
    stage.until(6)
    talk.client.send(50)
    stage.until(7)
    talk.outcome("aborted", "rst", "server", "reply_to_data")


def quiet(stage: Stage) -> None:
    """Nobody asked for keepalive, and nobody says anything."""
    talk = stage.connect()
    talk.exchange(64, 64)
    stage.until(14)
    stage.chatter()
    talk.outcome("unprotected", "open")


def changed(stage: Stage) -> None:
    """The application thinks again about its settings."""
    talk = stage.connect(client=Keepalive(time=2, intvl=1, probes=3))
    talk.exchange(50, 60)
    stage.until(6.9)
    talk.client.set_keepalive(Keepalive(time=5, intvl=4, probes=3))
    stage.until(22.5)


def patient(stage: Stage) -> None:
    """The interval is longer than the idle time."""
    talk = stage.connect(client=Keepalive(time=2, intvl=6, probes=3))
    talk.exchange(70, 70)
    stage.until(5)
    stage.router.silence("server")
    stage.until(28)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


SCENARIOS = [
    Scenario(
        name="half-closed",
        title="The client closes its half; both ends probe until the server closes, too.",
        look_at="Probes of the client in FIN-WAIT-2, one below its FIN's number, and of the server in CLOSE-WAIT.",
        play=half_closed,
    ),
    Scenario(
        name="unread-data",
        title="The server closes a connection with bytes unread, which its kernel answers with a reset.",
        look_at="RST,ACK right after the data was acknowledged (RFC 2525 2.17).",
        play=unread,
    ),
    Scenario(
        name="late-data",
        title="The client writes to a server that has closed long ago.",
        look_at="The server's FIN is acknowledged; the client's probe is answered; its data draws a reset.",
        play=late_data,
    ),
    Scenario(
        name="quiet",
        title="A connection without keepalive falls silent: leaked or merely quiet, nobody can tell.",
        look_at="Nothing happens for 14 s; a datagram to elsewhere shows that the recording went on.",
        play=quiet,
        capture=Capture(vantage="router"),
    ),
    Scenario(
        name="settings-changed",
        title="The client changes its keepalive settings while the connection is idle.",
        look_at="Probes every 2 s, then every 5 s.",
        play=changed,
    ),
    Scenario(
        name="interval-longer-than-idle",
        title="Probes are to come after 2 s of silence, and every 6 s when unanswered.",
        look_at="Answered probes come 6 s apart: after an answer the timer runs on in the interval's rhythm.",
        play=patient,
        not_shown=["connections.0.state.server"],
    ),
]
