"""Data is retransmitted into a black hole until the sender gives up without a word."""

from endpoints import Keepalive
from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """Unacknowledged data keeps the probes back; four retries are allowed."""
    stage.client.sysctl(ipv4__tcp_retries2=4)
    stage.note("The client's net.ipv4.tcp_retries2 was 4.")
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4))
    talk.exchange(500, 500)
    stage.until(1)
    stage.router.silence("server")
    talk.client.send(700)
    stage.until(20)
    stage.chatter()
    talk.outcome("retransmission_timeout", "timeout", "client")


SCENARIO = Scenario(
    name="half-open-data",
    title=(
        "The server becomes unreachable while data is on its way; the client retransmits at doubling "
        "intervals and then gives up silently."
    ),
    look_at=(
        "The same 700 bytes again and again. No probe, although keepalive is on, and no reset at the end. "
        "A datagram to the router and the ICMP error that it draws, which have nothing to do with the "
        "connection, show that the recording went on long after."
    ),
    play=play,
    expected_probes={"client": 0},
    not_shown=["connections.0.state.client", "connections.0.state.server"],
)
