"""One 4-tuple, three connections: after TIME-WAIT, and while the server still thinks the last one is open."""

from endpoints import Keepalive
from stage import Scenario, Stage

PORT = 40001


def play(stage: Stage) -> None:
    """Close in order; lose the client's memory; connect anew on the same ports each time."""
    first = stage.connect(client_port=PORT)
    first.exchange(70, 70)
    stage.until(1)
    first.server.close()
    stage.sleep(0.1)
    first.client.close()
    stage.sleep(0.2)
    first.outcome("closed", "fin", "server")
    first.note()

    stage.until(3)
    second = stage.connect(client=Keepalive(time=3, intvl=2, probes=4), client_port=PORT)
    second.exchange(80, 80)
    stage.until(11)
    second.client.forget()
    second.outcome("lost_state", "rst", "client")

    stage.until(12)
    third = stage.connect(client_port=PORT)
    second.server.note_error()
    # The kernel's table lists the new connection under the same 4-tuple.
    second.client.state = second.server.state = "CLOSED"
    third.exchange(90, 90)
    stage.until(14)
    third.client.close()
    stage.sleep(0.05)
    third.server.close()
    third.outcome("closed", "fin", "client")


SCENARIO = Scenario(
    name="port-reuse",
    title=(
        "The same client port connects to the same server port three times; the third time the server still "
        "believes that the second connection is open."
    ),
    look_at=(
        "The second SYN finds the server in TIME-WAIT and is taken at once. The third finds it ESTABLISHED: "
        "the server answers with a challenge ACK of the old connection, the client resets that, and its "
        "next SYN succeeds."
    ),
    play=play,
)
