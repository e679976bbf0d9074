"""Devices on the path that forget idle connections: without a word, with a reset, or not, because of probes."""

from collections.abc import Callable

from endpoints import Keepalive
from stage import Capture, Scenario, Stage

FORGETS_AFTER_S = 5


def firewall(keepalive: Keepalive, then: str, end: float, *outcome: str, family: int = 4) -> Callable[[Stage], None]:
    """A firewall that forgets after five seconds, and how the connection fares with these settings."""

    def play(stage: Stage) -> None:
        stage.router.forget_after(FORGETS_AFTER_S, then)
        talk = stage.connect(client=keepalive, family=family)
        talk.exchange(210, 530)
        stage.until(end)
        talk.outcome(*outcome)
        stage.note(
            f"The router tracked connections, forgot them after {FORGETS_AFTER_S} s of silence "
            "(net.netfilter.nf_conntrack_tcp_timeout_established), and took none up in the middle "
            "(nf_conntrack_tcp_loose 0)."
        )

    play.__module__ = __name__
    return play


def nat(stage: Stage) -> None:
    """The first probe gets a new port from the NAT, of which the server knows nothing."""
    stage.translate(FORGETS_AFTER_S)
    talk = stage.connect(client=Keepalive(time=8, intvl=2, probes=3))
    talk.exchange(140, 310)
    stage.until(10)
    stage.note(
        f"The router hid the client behind its own address and forgot connections after {FORGETS_AFTER_S} s of silence."
    )
    talk.outcome("lost_state", "rst", "server", "reply_to_probe")


UNHEARD = ["connections.0.state.server"]
SCENARIOS = [
    Scenario(
        name="firewall-forgets",
        title="A firewall forgets the idle connection before the first probe, and drops all that comes after.",
        look_at=(
            "To the client the server is dead. It is not: nothing reached it, the reset included, and it waits "
            "in ESTABLISHED. One connection alone cannot show that."
        ),
        play=firewall(
            Keepalive(time=7, intvl=2, probes=3), "drop", 15.5, "dead_peer", "rst", "client", "keepalive_exhausted"
        ),
        expected_probes={"client": 3},
        not_shown=UNHEARD,
    ),
    Scenario(
        name="firewall-resets",
        findings=["middlebox-idle-timeout", "keepalive-slower-than-middlebox"],
        title="A firewall forgets the idle connection before the first probe, which it answers with a reset.",
        look_at=(
            "The reset has the address of the server and a TTL of 64, the server's own packets have 63 by the time "
            "that they reach the client: it was made one hop nearer."
        ),
        play=firewall(
            Keepalive(time=8, intvl=3, probes=4), "reset", 11.5, "middlebox_reset", "rst", "middlebox", "reply_to_probe"
        ),
        expected_probes={"client": 1},
        not_shown=UNHEARD,
    ),
    Scenario(
        name="firewall-resets-ipv6",
        findings=["middlebox-idle-timeout", "keepalive-slower-than-middlebox"],
        title="A firewall forgets an idle IPv6 connection before the first probe, which it answers with a reset.",
        look_at="The reset has a hop limit of 64, the server's own packets have 63.",
        play=firewall(
            Keepalive(time=9, intvl=2, probes=2),
            "reset",
            12.5,
            *("middlebox_reset", "rst", "middlebox", "reply_to_probe"),
            family=6,
        ),
        expected_probes={"client": 1},
        not_shown=UNHEARD,
    ),
    Scenario(
        name="firewall-kept-alive",
        title="Probes come sooner than the firewall forgets, and the connection lives.",
        look_at="A probe every 3 s; the firewall would have forgotten the connection after 5 s of silence.",
        play=firewall(Keepalive(time=3, intvl=1, probes=3), "drop", 17.5, "healthy", "open"),
        capture=Capture(vantage="router"),
        expected_probes={"client": 5},
    ),
    Scenario(
        name="nat-forgets",
        title="A NAT forgets the idle connection, and the first probe reaches the server from another port.",
        look_at=(
            "The server resets what it does not know. Seen from the client it has lost its state; that the "
            "state was lost in between shows at the server alone, which still waits in ESTABLISHED."
        ),
        play=nat,
        expected_probes={"client": 1},
        shown_instead={"connections.0.state.server": "CLOSED"},
    ),
]
