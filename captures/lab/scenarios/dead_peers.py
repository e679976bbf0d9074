"""Dead peers of every kind: one probe alone, one direction lost, old stacks, other places, other versions."""

from collections.abc import Callable

from endpoints import Keepalive
from network import ADDRESSES
from stage import Capture, Scenario, Stage

SERVER_UNKNOWN = ["connections.0.state.server"]


def silent_from(second: float, keepalive: Keepalive, family: int = 4) -> Callable[[Stage], None]:
    """The server is out of reach from then on, and the client gives up."""

    def play(stage: Stage) -> None:
        talk = stage.connect(client=keepalive, family=family)
        talk.exchange(170, 640)
        stage.until(second)
        stage.router.silence("server")
        stage.until(second + keepalive.time + keepalive.intvl * keepalive.probes + 1.7)
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")

    play.__module__ = __name__
    return play


def without_timestamps(stage: Stage) -> None:
    """Neither end knows RFC 7323."""
    for host in (stage.client, stage.server):
        host.sysctl(ipv4__tcp_timestamps=0, ipv4__tcp_sack=0)
    stage.note("net.ipv4.tcp_timestamps and tcp_sack were 0 at both ends.")
    silent_from(1, Keepalive(time=3, intvl=1, probes=5))(stage)


def one_way(stage: Stage) -> None:
    """The client's probes arrive, the server's answers do not."""
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3))
    talk.exchange(120, 480)
    stage.until(1)
    stage.router.drop(f"ip saddr {ADDRESSES['server', 4]}")
    stage.until(13)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def server_probes(stage: Stage) -> None:
    """It is the client that vanishes, and the server that asks."""
    talk = stage.connect(server=Keepalive(time=3, intvl=2, probes=3))
    talk.exchange(300, 900)
    stage.until(1)
    stage.router.silence("client")
    stage.until(11.5)
    talk.outcome("dead_peer", "rst", "server", "keepalive_exhausted")


def still_asking(stage: Stage) -> None:
    """The recording ends while the client still probes."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=8))
    talk.exchange(99, 199)
    stage.until(1)
    stage.router.silence("server")
    stage.until(10.4)
    talk.outcome("dead_peer", "open")


SCENARIOS = [
    Scenario(
        name="dead-peer-count-1",
        findings=["user-timeout-overrides-count"],
        title="One probe is all that the client sends before it gives up.",
        look_at="One unanswered probe and, an interval later, RST,ACK, which says it all.",
        play=silent_from(1, Keepalive(time=5, intvl=3, probes=1)),
        expected_probes={"client": 1},
        not_shown=SERVER_UNKNOWN,
    ),
    Scenario(
        name="dead-peer-ipv6",
        title="A dead peer in IPv6, after an answered probe, recorded at the router.",
        look_at="The client's side of the router: one probe with an answer, four without.",
        play=silent_from(8, Keepalive(time=6, intvl=2, probes=4), family=6),
        capture=Capture(vantage="router"),
        not_shown=SERVER_UNKNOWN,
    ),
    Scenario(
        name="dead-peer-no-timestamps",
        title="A dead peer between ends without timestamps and SACK.",
        look_at="Probes of 20 bytes of TCP header: nothing but number and acknowledgement tells them from any ACK.",
        play=without_timestamps,
        expected_probes={"client": 5},
        not_shown=SERVER_UNKNOWN,
    ),
    Scenario(
        name="one-way-loss",
        title="Probes arrive and are answered, but the answers are lost: to the client the server is dead.",
        look_at="At the client this looks as if the server were gone, which is ESTABLISHED until the reset.",
        play=one_way,
        expected_probes={"client": 3},
        not_shown=SERVER_UNKNOWN,
    ),
    Scenario(
        name="dead-client",
        title="The client vanishes, and the server, which alone has keepalive on, finds out.",
        look_at="The prober is the server; its reset goes to a client that will never see it.",
        play=server_probes,
        capture=Capture(vantage="server"),
        expected_probes={"server": 3},
        not_shown=["connections.0.state.client"],
    ),
    Scenario(
        name="still-asking",
        title="The recording ends before the client gives up on a server that is out of reach.",
        look_at="Four probes without an answer and no end: how many more would follow the recording cannot show.",
        play=still_asking,
        expected_probes={"client": 4},
    ),
]
