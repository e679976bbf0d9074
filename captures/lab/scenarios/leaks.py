"""Connections that nobody closes: never probed, half closed, or of an application that hangs."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage

LINUX_DEFAULTS = Keepalive(time=7200, intvl=75, probes=9)


def two_hours(stage: Stage) -> None:
    """Keepalive is on, with the kernel's own settings, at both ends."""
    talk = stage.connect(client=LINUX_DEFAULTS, server=LINUX_DEFAULTS)
    stage.note("The settings are those that SO_KEEPALIVE alone would have given.")
    talk.exchange(180, 420)
    stage.until(21)
    stage.chatter()
    talk.outcome("unprotected", "open")


def server_in_close_wait(stage: Stage) -> None:
    """The client closes, the server's application does not notice, and its kernel asks on."""
    talk = stage.connect(server=Keepalive(time=4, intvl=1, probes=5))
    talk.exchange(260, 90)
    stage.until(1.5)
    talk.client.close()
    stage.until(15)
    talk.outcome("close_wait_leak", "half_closed", "client")


def server_in_fin_wait_2(stage: Stage) -> None:
    """The server says that it is done and waits for the client, which does not close."""
    talk = stage.connect(server=Keepalive(time=3, intvl=2, probes=4), family=6)
    talk.exchange(70, 1300)
    stage.until(1)
    talk.server.shut()
    stage.until(14.5)
    talk.outcome("close_wait_leak", "half_closed", "server")


def hung(stage: Stage) -> None:
    """The fifth request is acknowledged by the kernel and never replied to."""
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3))
    for number in range(4):
        talk.exchange(120 + number, 640)
        stage.until(0.5 * (number + 1))
    talk.client.send(110)
    stage.until(18.5)
    talk.outcome("app_hung", "open")


SCENARIOS = [
    Scenario(
        name="two-hour-default",
        title="Both ends have keepalive on with the default of two hours: in 21 s of silence nothing shows that.",
        look_at="Nothing happens. A datagram to the router shows that the recording went on.",
        play=two_hours,
        expected_probes={"client": 0, "server": 0},
    ),
    Scenario(
        name="close-wait-server",
        title="The client closes; the server, in CLOSE-WAIT, never does, and its probes are answered.",
        look_at="The client's FIN is acknowledged, none comes back, and the server probes a client in FIN-WAIT-2.",
        play=server_in_close_wait,
        capture=Capture(vantage="server"),
    ),
    Scenario(
        name="fin-wait-2-server",
        title="The server shuts down its sending half and probes a client that never closes, in IPv6.",
        look_at="The server's probes have the sequence number of its FIN.",
        play=server_in_fin_wait_2,
        capture=Capture(vantage="router"),
    ),
    Scenario(
        name="hung-application",
        title="The server's application hangs: its kernel acknowledges the request and answers the probes.",
        look_at="Four requests are replied to at once, the fifth is acknowledged, and then only kernels talk.",
        play=hung,
    ),
]
