"""Who is the client, where no handshake was recorded: services at high ports, and clients at known ones."""

from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

CLIENT_ASKS = Keepalive(time=4, intvl=2, probes=3)
SERVER_ASKS = Keepalive(time=5, intvl=2, probes=3)
# More than a slot of the timer wheel: probes come in the order of the connections.
APART_S = 0.3
# Client's port, server's port, whether by IPv6, with timestamps; as old systems and busy ones choose theirs.
CONNECTIONS = (
    (1093, 44818, 4, 1),
    (1131, 44818, 4, 1),
    (1204, 44818, 4, 0),
    (2011, 20000, 6, 1),
    (2012, 20000, 6, 1),
    (44818, 9000, 6, 1),
    (40110, 9000, 6, 1),
    (50020, 9000, 6, 0),
    (3070, 47808, 4, 1),
    (3071, 47808, 4, 0),
    (3072, 47808, 4, 1),
)


def open_one(stage: Stage, number: int) -> Talk:
    """A connection that the client probes, or the server where it is one of 47808."""
    client_port, server_port, family, timestamps = CONNECTIONS[number]
    stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
    asked_by = {"server": SERVER_ASKS} if server_port == 47808 else {"client": CLIENT_ASKS}
    talk = stage.connect(**asked_by, family=family, server_port=server_port, client_port=client_port)  # type: ignore[arg-type]
    talk.exchange(60, 90)
    stage.sleep(APART_S)
    return talk


def play(stage: Stage) -> None:
    """Make them all, then begin to record."""
    talks = [open_one(stage, number) for number in range(len(CONNECTIONS))]
    stage.until(3.65)
    stage.start_capture()
    stage.until(16)
    for talk in talks[::2]:
        talk.exchange(60, 90)
    stage.until(18)


SCENARIO = Scenario(
    name="high-ports",
    title=(
        "Eleven connections recorded from the middle: services at 44818, 20000 and 47808 with clients at low ports, "
        "and one at 9000 with clients at high ports, 44818 among them."
    ),
    look_at="The end whose port several others have as their peer's is the server, whichever number is higher.",
    play=play,
    capture=Capture(starts_later=True),
)
