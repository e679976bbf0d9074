"""The receiver stops reading: the sender probes the closed window."""

from endpoints import Keepalive, Talk
from stage import Scenario, Stage

QUEUED = 16_000


def stop_reading(stage: Stage, server: Keepalive | None) -> Talk:
    """A connection whose server has stopped reading while the client has more to say."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4), server=server, receive_buffer=2304)
    talk.exchange(100, 100)
    stage.until(1)
    talk.client.send(QUEUED)
    return talk


def play_reopened(stage: Stage) -> None:
    """The server reads again after a while."""
    talk = stop_reading(stage, None)
    stage.until(11)
    talk.server.receive(QUEUED)
    stage.sleep(0.5)
    talk.client.close()
    stage.sleep(0.05)
    talk.server.close()
    talk.outcome("closed", "fin", "client")


def play_stalled(stage: Stage) -> None:
    """The server never reads again, and its own keepalive probes."""
    talk = stop_reading(stage, Keepalive(time=5, intvl=3, probes=3))
    stage.until(19)
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

SCENARIOS = [REOPENED, STALLED]
