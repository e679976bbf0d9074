"""One direction fails: the prober gives up although it goes on hearing its peer's own probes."""

from bare import deafen, without_timestamps
from endpoints import Keepalive
from stage import Scenario, Stage

ONE_WAY, BOTH_WAYS, BACK, DEAF = 7100, 7200, 7300, 7400


def play(stage: Stage) -> None:
    """Four connections lose one direction, one loses both, and one loses one direction for a while."""
    four = stage.connect(
        client=Keepalive(time=4, intvl=2, probes=4), server=Keepalive(time=5, intvl=3, probes=9), server_port=ONE_WAY
    )
    six = stage.connect(
        client=Keepalive(time=6, intvl=3, probes=2),
        server=Keepalive(time=4, intvl=2, probes=9),
        server_port=ONE_WAY,
        family=6,
    )
    with without_timestamps(stage):
        bare = stage.connect(
            client=Keepalive(time=5, intvl=1, probes=5),
            server=Keepalive(time=3, intvl=2, probes=9),
            server_port=ONE_WAY,
        )
        gone = stage.connect(
            client=Keepalive(time=5, intvl=2, probes=3),
            server=Keepalive(time=3, intvl=2, probes=9),
            server_port=BOTH_WAYS,
        )
    back = stage.connect(
        client=Keepalive(time=4, intvl=2, probes=9),
        server=Keepalive(time=5, intvl=3, probes=9),
        server_port=BACK,
        family=6,
    )
    deaf = stage.connect(
        client=Keepalive(time=3, intvl=2, probes=9), server=Keepalive(time=5, intvl=2, probes=3), server_port=DEAF
    )
    for number, talk in enumerate(stage.talks):
        talk.exchange(45 + 20 * number, 300 - 40 * number)
    stage.until(1)
    for port in (ONE_WAY, BOTH_WAYS, BACK):
        stage.router.drop(f"tcp dport {port}")
    stage.router.drop(f"tcp sport {BOTH_WAYS}")
    deafen(stage, "client", [deaf.client.address[1]])
    deaf.client.deaf = True
    stage.until(11.4)
    stage.router.restore()
    stage.router.drop(f"tcp dport {ONE_WAY}")
    stage.router.drop(f"tcp dport {BOTH_WAYS}")
    stage.router.drop(f"tcp sport {BOTH_WAYS}")
    stage.until(17.5)
    for talk in (four, six, bare, gone):
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
    deaf.outcome("dead_peer", "rst", "server", "keepalive_exhausted")
    back.outcome("lossy_path", "open")


SCENARIO = Scenario(
    name="peer-asks-in-vain",
    title="One direction of four connections is lost: each prober gives up while its peer's own probes reach it.",
    look_at=(
        "Nobody is gone: the probes of the end that was given up are there, answered in vain at first and reset "
        "later. Of the near misses one connection lost both directions, and one got its way back in time."
    ),
    play=play,
    findings=["one-way-loss"],
    standing=["keepalive-exhausted-but-alive"],
    not_shown=[
        *(f"connections.{number}.state.server" for number in range(4)),
        "connections.5.state.client",
        "connections.2.settings.server.tcp_keepalive_time",
    ],
)
