"""The server falls silent, and the recording ends before the client has given up."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """Three probes and a full interval after the third: the fourth would come 240 ms later than 10 s."""
    talk = stage.connect(client=Keepalive(time=5, intvl=10, probes=9))
    talk.exchange(96, 640)
    stage.until(1)
    stage.router.silence("server")
    stage.wait_for(lambda: talk.client.probes_unanswered() == 3, within=40)
    # The kernel rounds 10 s up to 10.24 s: for a moment an interval is over and the next probe not sent.
    stage.sleep(10.03)
    stage.chatter()
    talk.outcome("dead_peer", "open")


SCENARIO = Scenario(
    name="dead-peer-mid-run",
    title=(
        "The server becomes unreachable while the connection is idle; the recording ends while the client is probing."
    ),
    look_at=(
        "Three probes in a row draw no answer, and more than 10 s pass after the third: a datagram to the "
        "router and the ICMP error that it draws, which have nothing to do with the connection, show that "
        "the recording was still running. The client has not given up."
    ),
    play=play,
    settle_s=0.1,
    expected_probes={"client": 3},
)
