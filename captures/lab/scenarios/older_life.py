"""The server still holds an older connection of the 4-tuple, of which this recording shows nothing; and a lone ACK."""

import userspace
from bare import without_timestamps
from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

PORT = 40101
LOST_SYN, LOST_RST = 7200, 7300


def play(stage: Stage) -> None:
    """Three connections are made after a challenge ACK, one after a lost SYN; one is lost, and one never was."""
    older = [stage.connect(client_port=PORT), stage.connect(client_port=PORT + 1, family=6)]
    with without_timestamps(stage):
        older.append(stage.connect(client_port=PORT + 2))
    stage.notes.clear()  # the next one of these ports says the same
    older.append(stage.connect(client_port=PORT + 6, server_port=LOST_RST))
    for number, talk in enumerate(older):
        talk.exchange(70 + number, 80 - number)
        talk.client.forget()
    stage.talks.clear()
    stage.sleep(0.5)
    stage.start_capture()
    stage.begin()
    held = [stage.connect(client=Keepalive(time=3, intvl=2, probes=4), client_port=PORT)]
    held.append(stage.connect(client_port=PORT + 1, family=6))
    with without_timestamps(stage):
        held.append(stage.connect(client=Keepalive(time=4, intvl=2, probes=3), client_port=PORT + 2))
    stage.router.drop(f"tcp dport {LOST_SYN} tcp flags & (syn | ack) == syn numgen inc mod 2 == 0")
    stage.router.drop(f"tcp dport {LOST_RST} tcp flags & rst == rst numgen inc mod 2 == 0")
    held.append(stage.connect(client=Keepalive(time=6, intvl=2, probes=3), client_port=PORT + 6, server_port=LOST_RST))
    late = stage.connect(client=Keepalive(time=4, intvl=1, probes=3), client_port=PORT + 3, server_port=LOST_SYN)
    lost = stage.connect(client=Keepalive(time=5, intvl=2, probes=3), client_port=PORT + 4)
    for number, talk in enumerate(stage.talks):
        talk.exchange(31 + 5 * number, 150 + 20 * number)
    lost.server.forget()
    stage.note("Connection 6 is an ACK that a program on the client made up, and what the server's kernel said to it.")
    alone = stage.new_talk(client_port=PORT + 5)
    userspace.send_lone_ack(stage, alone, 0x1D2C3B4A, 0x60708090)
    stage.until(8)
    held[1].server.close()
    stage.sleep(0.1)
    held[1].client.close()
    stage.until(9.2)
    held[0].client.abort()
    stage.until(13.4)
    held[0].outcome("aborted", "rst", "client", "abort")
    held[1].outcome("closed", "fin", "server")
    late.outcome("healthy", "open")
    lost.outcome("lost_state", "rst", "server", "reply_to_probe")
    alone.outcome("aborted", "rst", "server")
    forget(older)


def forget(talks: list[Talk]) -> None:
    """What the server held is gone since the client's RST."""
    for talk in talks:
        talk.drop_sockets()


SCENARIO = Scenario(
    name="older-life",
    title="A server still holds older connections of the same ports, whose making the recording does not have.",
    look_at=(
        "Four SYNs draw a challenge ACK with the numbers of another life, which the client resets before it asks "
        "again; one of these RSTs is lost. Near misses: a SYN that is lost, a server that does lose its state, and an "
        "ACK that belongs to nothing, with its RST."
    ),
    play=play,
    capture=Capture(starts_later=True),
    findings=["older-connection-held"],
)
