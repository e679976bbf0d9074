"""Probes that nothing tells apart: in the files of a rotated set, and in captures of two places whose clocks differ."""

from collections.abc import Sequence
from functools import partial

import publishing
from bare import deafen, without_ip_ids, without_timestamps
from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

ALIKE = Keepalive(time=3, intvl=2, probes=4)
GONE, GOES_ON = 7100, 7000
# What the clock of the second place is ahead by, in whole periods and a bit: where probes would fit as well.
AHEAD_S = 34.65


def prepared(stage: Stage, talks: Sequence[Talk]) -> None:
    """What was said before the recording begins."""
    for number, talk in enumerate(talks):
        talk.exchange(40 + number, 70 - number)


def alike(stage: Stage) -> None:
    """Six connections begin together and are probed at one pace; the servers of two are gone in the end."""
    without_ip_ids(stage)
    with without_timestamps(stage):
        for number in range(6):
            port = GONE if number in (1, 4) else GOES_ON
            stage.connect(client=ALIKE, family=6 if number % 2 else 4, server_port=port)
    prepared(stage, stage.talks)
    stage.sleep(0.5)
    stage.start_capture()
    stage.begin()
    stage.until(7)
    deafen(stage, "server", [GONE])
    stage.until(18)
    for number in (1, 4):
        stage.talks[number].outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def unlike(stage: Stage) -> None:
    """Four connections are probed at a pace of their own, two of them by the server; one is used now and then."""
    without_ip_ids(stage)
    settings = [
        Keepalive(time=6, intvl=1, probes=5),
        Keepalive(time=3, intvl=1, probes=4),
        Keepalive(time=4, intvl=3, probes=3),
    ]
    with without_timestamps(stage):
        stage.connect(client=settings[0], family=6)
        stage.connect(server=settings[1])
        stage.connect(server=settings[2], family=6)
    used = stage.connect(client=Keepalive(time=5, intvl=2, probes=3))
    prepared(stage, stage.talks)
    for second in (7.4, 14.8):
        stage.until(second)
        used.exchange(25, 125)
    stage.until(21.6)


def late(stage: Stage) -> None:
    """Idle connections and one in use; the router begins to record when the client has for nine seconds."""
    stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    with without_timestamps(stage):
        stage.connect(client=Keepalive(time=4, intvl=1, probes=3), family=6)
        stage.connect(server=Keepalive(time=3, intvl=1, probes=5))
    used = stage.connect(client=Keepalive(time=5, intvl=2, probes=3), family=6)
    prepared(stage, stage.talks)
    for number in range(24):
        stage.until(0.8 * number)
        used.exchange(20 + number, 60 + 2 * number)
        if number == 11:
            stage.start_second()
    stage.until(20.6)


def behind_a_nat(stage: Stage) -> None:
    """The NAT hides the client's address; what is lost behind it is seen at its near side alone."""
    stage.translate(600)
    one = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    with without_timestamps(stage):
        other = stage.connect(client=Keepalive(time=4, intvl=3, probes=5))
    prepared(stage, stage.talks)
    stage.until(6)
    stage.start_second()
    for number in range(5):
        stage.until(6.3 + 0.3 * number)
        one.exchange(50 + number, 80)
        other.exchange(20, 30 + number)
    stage.until(9)
    stage.router.silence("server")
    stage.until(14)
    stage.router.restore()
    stage.until(22)
    for talk in (one, other):
        stage.beyond_nat(talk)
        talk.outcome("lossy_path", "open")
    stage.note("The router hid the client behind its own address; connections 2 and 3 are 0 and 1 behind it.")


LOOK_AT = (
    "Without timestamps, and with IP ID 0 or in IPv6, a probe and its answer are byte by byte those of the round "
    "before: "
)
SCENARIOS = [
    Scenario(
        name="rotated-by-rounds",
        title="Six connections, probed at one pace, in a rotated set with a file for each round.",
        look_at=LOOK_AT + "each file looks like the one before, a round later. They are one place all the same, and "
        "the two servers that fall silent do so in all of them.",
        play=alike,
        capture=Capture(starts_later=True, publish=publishing.by_rounds, published="capture.*.pcap", counted=True),
        findings=["keepalive-exhausted-but-alive"],
        not_shown=["connections.1.state.server", "connections.4.state.server"],
    ),
    Scenario(
        name="rotated-several-paces",
        title="Four connections, probed at several paces by either end, in a rotated set of three files.",
        look_at=LOOK_AT + "each connection repeats itself in the next file, and for each of them another time later.",
        play=unlike,
        capture=Capture(
            vantage="router",
            publish=partial(publishing.cut, cuts=(0.36, 0.69)),
            published="capture.*.pcap",
            counted=True,
        ),
    ),
    Scenario(
        name="two-places-nat",
        title="Two connections recorded before a NAT and behind it, later and by another clock; some probes are lost.",
        look_at=(
            "Each connection is there twice, with another address and port of the client. Sequence numbers, lengths "
            "and timestamps are the same: with --both-ends they show which probes did not come through."
        ),
        play=behind_a_nat,
        capture=Capture(
            publish=partial(publishing.with_second, apart=7.25),
            published="capture.*.pcap",
            counted=True,
            second="server",
            second_device="s0",
            second_later=True,
        ),
        not_shown=["connections.2.settings.client", "connections.3.settings.client"],
    ),
    Scenario(
        name="two-places-late",
        title="One path recorded at the client and at the router, which begins later and whose clock is ahead.",
        look_at=(
            f"The second file begins nine seconds after the first, and its clock is {AHEAD_S} s ahead: its packets are "
            "those of the first, and each counts once. What cannot come again shows it: the requests and replies."
        ),
        play=late,
        capture=Capture(
            publish=partial(publishing.with_second, apart=AHEAD_S),
            published="capture.*.pcap",
            counted=True,
            second="router",
            second_device="rs",
            second_later=True,
        ),
    ),
]
