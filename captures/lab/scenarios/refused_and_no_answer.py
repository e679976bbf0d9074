"""Four connections of which two are never made: refused, not answered, aborted, closed in order."""

from stage import Scenario, Stage


def play(stage: Stage) -> None:
    """One after the other."""
    refused = stage.new_talk(server_port=7009)
    stage.try_connect(refused, patience=2)
    refused.handshake = "refused"
    refused.outcome("refused", "refused", "server")

    stage.router.drop("tcp dport 7010")
    silent = stage.new_talk(server_port=7010)
    stage.try_connect(silent, patience=4.5)
    silent.handshake = "no_answer"
    silent.outcome("no_answer", "no_answer")

    aborted = stage.connect()
    aborted.exchange(210, 700)
    stage.sleep(0.3)
    aborted.client.abort()
    aborted.outcome("aborted", "rst", "client", "abort")

    closed = stage.connect()
    closed.exchange(85, 1200)
    stage.sleep(0.3)
    closed.server.close()
    stage.sleep(0.1)
    closed.client.close()
    closed.outcome("closed", "fin", "server")


SCENARIO = Scenario(
    name="refused-and-no-answer",
    title=(
        "Four connections without keepalive: one refused, one whose SYN is never answered, one aborted by "
        "its client, one closed in order."
    ),
    look_at=(
        "The refusal is an RST,ACK to the SYN. The unanswered SYN is repeated every second. The abort is an "
        "RST,ACK out of the blue, of a socket closed with linger 0. The last connection ends with four "
        "segments: two FINs, two ACKs."
    ),
    play=play,
    not_shown=["connections.1.state.server"],
)
