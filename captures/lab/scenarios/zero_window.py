"""The receiver stops reading: the sender probes the closed window."""

from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

QUEUED = 16_000


CLIENT = Keepalive(time=3, intvl=2, probes=4)


def stop_reading(stage: Stage, client: Keepalive | None, server: Keepalive | None, family: int = 4) -> Talk:
    """A connection whose server has stopped reading while the client has more to say."""
    talk = stage.connect(client=client, server=server, receive_buffer=2304, family=family)
    talk.exchange(100, 100)
    stage.until(1)
    talk.client.send(QUEUED)
    return talk


def play_reopened(stage: Stage) -> None:
    """The server reads again after a while."""
    read_on(stage, stop_reading(stage, CLIENT, None))


def read_on(stage: Stage, talk: Talk) -> None:
    """The window opens, and both ends close."""
    stage.until(11)
    talk.server.receive(QUEUED)
    stage.sleep(0.5)
    talk.client.close()
    stage.sleep(0.05)
    talk.server.close()
    talk.outcome("closed", "fin", "client")


def play_stalled(stage: Stage) -> None:
    """The server never reads again, and its own keepalive probes."""
    talk = stop_reading(stage, CLIENT, Keepalive(time=5, intvl=3, probes=3))
    stage.until(19)
    talk.outcome("zero_window_stall", "open")


def play_reopened_unprobed(stage: Stage) -> None:
    """The server reads again after a while, and nobody has keepalive on."""
    read_on(stage, stop_reading(stage, None, None, family=6))


def play_stalled_unprobed(stage: Stage) -> None:
    """The server never reads again, and nobody has keepalive on."""
    talk = stop_reading(stage, None, None)
    stage.until(18.5)
    talk.outcome("zero_window_stall", "open")


REOPENED = Scenario(
    name="zero-window",
    title=("The server stops reading until its window is closed, and later reads on; the client probes the window."),
    look_at=(
        "After the first window of 0 the client's probes look exactly like keepalive probes, but they come "
        "0.2 s after it and at doubling intervals, and every answer says window 0. The second probe is not "
        "answered: an answer within 500 ms of the first is held back. Keepalive is on, but sends nothing "
        "while data is queued."
    ),
    play=play_reopened,
)

STALLED = Scenario(
    name="zero-window-stall",
    title="The server stops reading for good: its window stays closed to the end of the recording.",
    look_at=(
        "The client probes the window at doubling intervals. The server, which waits too, sends keepalive "
        "probes of its own every 5 s, and gets them answered."
    ),
    play=play_stalled,
)

REOPENED_UNPROBED = Scenario(
    name="zero-window-no-keepalive",
    title="The server stops reading and later reads on; IPv6, and nobody has keepalive on.",
    look_at="The same probes of the window: they have nothing to do with keepalive.",
    play=play_reopened_unprobed,
    capture=Capture(vantage="router"),
)

STALLED_UNPROBED = Scenario(
    name="zero-window-stall-no-keepalive",
    title="The server stops reading for good, and nobody has keepalive on.",
    look_at="Probes of the window at doubling intervals, each answered with window 0 but the second.",
    play=play_stalled_unprobed,
    capture=Capture(vantage="server"),
)

SCENARIOS = [REOPENED, STALLED, REOPENED_UNPROBED, STALLED_UNPROBED]
