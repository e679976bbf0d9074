"""Recordings whose files are out of the ordinary: pieces, byte order, interfaces, cut headers."""

import publishing
from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def idle(stage: Stage) -> None:
    """Two exchanges with a long silence between."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(90, 700)
    stage.until(14)
    talk.exchange(20, 30)
    stage.until(21.5)


def forgotten(stage: Stage) -> None:
    """An answered probe, then one that draws a reset."""
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3))
    talk.exchange(64, 256)
    stage.until(6)
    talk.server.forget()
    stage.until(10)
    talk.outcome("lost_state", "rst", "server", "reply_to_probe")


SCENARIOS = [
    Scenario(
        name="rotated-set",
        title="An idle connection whose recording is spread over files of six seconds each.",
        look_at="No file holds more than a probe or two; together they hold one connection.",
        play=idle,
        capture=Capture(publish=publishing.in_pieces, published="capture.*.pcap"),
    ),
    Scenario(
        name="big-endian-nanoseconds",
        title="A server that lost its state, in a file of the other byte order with nanoseconds.",
        look_at="The file begins with a1 b2 3c 4d.",
        play=forgotten,
        capture=Capture(options=("--nano",), publish=publishing.big_endian),
        expected_probes={"client": 2},
    ),
    Scenario(
        name="several-interfaces",
        findings=["duplicate-capture"],
        title="A server that lost its state, recorded on both interfaces of the router in one pcapng file.",
        look_at="Each packet is there twice, once per interface; each counts once.",
        play=forgotten,
        capture=Capture(vantage="router", program="dumpcap", options=("-i", "rs")),
        expected_probes={"client": 2},
    ),
    Scenario(
        name="cut-snaplen",
        title="An idle connection, recorded with a snaplen that cuts the TCP options.",
        look_at="60 bytes of each frame: TCP's timestamps are cut in two, everything before them is there.",
        play=idle,
        capture=Capture(options=("-s", "60")),
    ),
]
