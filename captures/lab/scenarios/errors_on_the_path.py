"""The router does not forward any more and says so, by ICMP errors of several types."""

from bare import without_timestamps
from endpoints import Keepalive
from stage import Scenario, Stage

# By the server's port, which the router goes by.
ERRORS = {
    7101: (4, "icmp type host-prohibited", Keepalive(time=3, intvl=2, probes=4)),
    7102: (4, "icmp type net-unreachable", Keepalive(time=4, intvl=3, probes=2)),
    7103: (4, "icmp type port-unreachable", Keepalive(time=5, intvl=1, probes=5)),
    7104: (4, "icmp type admin-prohibited", Keepalive(time=6, intvl=2, probes=3)),
    7105: (6, "icmpv6 type admin-prohibited", Keepalive(time=4, intvl=2, probes=3)),
    7106: (6, "icmpv6 type no-route", Keepalive(time=5, intvl=3, probes=2)),
}
FOR_A_WHILE, WITHOUT_A_WORD = 7107, 7108


def play(stage: Stage) -> None:
    """Six connections are given up amid errors, one without, and one is heard again."""
    for port, (family, _, keepalive) in ERRORS.items():
        if port % 2:
            stage.connect(client=keepalive, server_port=port, family=family)
            continue
        with without_timestamps(stage):
            stage.connect(client=keepalive, server_port=port, family=family)
    back = stage.connect(client=Keepalive(time=3, intvl=2, probes=6), server_port=FOR_A_WHILE, family=6)
    stage.connect(client=Keepalive(time=5, intvl=2, probes=3), server_port=WITHOUT_A_WORD)
    for number, talk in enumerate(stage.talks):
        talk.exchange(33 + 4 * number, 100 + 50 * number)
    stage.until(1)
    shut_out(stage)
    stage.router.reject(f"tcp dport {FOR_A_WHILE}", "icmpv6 type policy-fail")
    stage.until(6)
    stage.router.restore()
    shut_out(stage)
    stage.until(15.4)
    for talk in stage.talks:
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
    back.outcome("lossy_path", "open")


def shut_out(stage: Stage) -> None:
    """From now on forward nothing to these ports."""
    for port, (_, error, _) in ERRORS.items():
        stage.router.reject(f"tcp dport {port}", error)
    stage.router.drop(f"tcp dport {WITHOUT_A_WORD}")


SCENARIO = Scenario(
    name="errors-on-the-path",
    title="A router refuses six connections by ICMP errors of six kinds, one for a while, and one it just drops.",
    look_at=(
        "The type and code of the errors that answer probes: they say what is wrong, and who says so. The probes go "
        "on all the same, because an ICMP error is a hint and no more (RFC 1122 4.2.3.9, RFC 5461)."
    ),
    play=play,
    findings=["keepalive-exhausted-but-alive"],
    standing=["dead-peer"],
    not_shown=[f"connections.{number}.state.server" for number in (0, 1, 2, 3, 4, 5, 7)],
)
