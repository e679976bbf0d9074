"""Paths on which packets are long on their way: probes overtake answers, and both ends do the same thing at once."""

import threading

import wire
from endpoints import Keepalive
from stage import Scenario, Stage


def slower_than_the_interval(stage: Stage) -> None:
    """Answers take 2.6 s, and the next probe comes after one."""
    wire.slow_down(stage, 1.3)
    talk = stage.connect(client=Keepalive(time=4, intvl=1, probes=5))
    talk.exchange(110, 330)
    stage.until(26.1)
    talk.exchange(20, 30)
    stage.until(29)


def opens_at_once(stage: Stage) -> None:
    """Two SYNs cross on the path, and one connection comes of them."""
    wire.slow_down(stage, 0.2)
    talk = stage.connect_both(Keepalive(time=3, intvl=1, probes=4))
    stage.until(1)
    talk.exchange(140, 280)
    stage.until(10)


def closes_at_once(stage: Stage) -> None:
    """Two FINs cross on the path."""
    wire.slow_down(stage, 0.2)
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(210, 120)
    stage.until(6)
    other = threading.Thread(target=talk.server.close)
    other.start()
    talk.client.close()
    other.join()
    stage.until(8)
    talk.outcome("closed", "fin", "client")


SCENARIOS = [
    Scenario(
        name="slow-path",
        title="A round trip of 2.6 s, longer than the interval of 1 s: several probes are on their way at once.",
        look_at=(
            "After 4 s of silence there is a probe each second until the answer to the first is back. Every "
            "probe is answered, each 2.6 s later; none is lost."
        ),
        play=slower_than_the_interval,
        settle_s=2.0,
    ),
    Scenario(
        name="simultaneous-open",
        title="Client and server connect to each other at the same moment: their SYNs cross.",
        look_at="Two SYNs, each answered by a SYN,ACK with the same sequence number (RFC 9293, figure 7).",
        play=opens_at_once,
    ),
    Scenario(
        name="simultaneous-close",
        title="Both ends close at the same moment: their FINs cross.",
        look_at="Neither FIN acknowledges the other; both ends pass through CLOSING to TIME-WAIT.",
        play=closes_at_once,
    ),
]
