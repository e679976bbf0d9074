"""Recorded on all interfaces of the router: every packet appears twice."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Two idle connections, one of each IP version."""
    four = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    six = stage.connect(client=Keepalive(time=5, intvl=3, probes=3), family=6)
    four.exchange(160, 720)
    six.exchange(140, 610)
    stage.until(19.3)


# The default ring of an "any" recording has room for eight packets: 262144 bytes each.
BUFFER = ("-B", "16384")
LOOK_AT = (
    "Each segment is in the recording twice, a few microseconds apart: once as it comes in, with the "
    "sender's TTL or hop limit, and once as it goes out, with one less. Each probe counts once all the same."
)

SLL2 = Scenario(
    name="any-interface",
    findings=["duplicate-capture"],
    title=(
        "An IPv4 and an IPv6 connection, recorded on all interfaces of the router between them, in Linux "
        "cooked v2 form."
    ),
    look_at=LOOK_AT,
    play=play,
    capture=Capture(vantage="router", interface="any", options=BUFFER),
)

SLL1 = Scenario(
    name="any-interface-sll1",
    findings=["duplicate-capture"],
    title=(
        "An IPv4 and an IPv6 connection, recorded on all interfaces of the router between them, in Linux "
        "cooked v1 form."
    ),
    look_at=LOOK_AT + " The v1 header has no interface number.",
    play=play,
    capture=Capture(vantage="router", interface="any", options=("-y", "LINUX_SLL", *BUFFER)),
)

SCENARIOS = [SLL2, SLL1]
