"""The recording begins in the middle of an unanswered run: the peer is not in it at all."""

from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Seven probes go unanswered; the recording begins after the second."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=7))
    talk.exchange(220, 330)
    stage.until(1)
    stage.router.silence("server")
    stage.wait_for(lambda: talk.client.probes_unanswered() == 2, within=10)
    stage.sleep(0.3)
    stage.start_capture()
    stage.until(19.5)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


SCENARIO = Scenario(
    name="mid-unanswered-run",
    findings=["unanswered-but-alive"],
    title=("A recording that was begun while the client's probes were already going unanswered: one-sided to the end."),
    look_at=(
        "Five identical segments, 2 s apart, then RST,ACK with the next sequence number. The server never "
        "appears. The two probes before the recording began are not in it."
    ),
    play=play,
    capture=Capture(starts_later=True),
    expected_probes={"client": 5},
    not_shown=[
        "connections.0.state.server",
        "connections.0.settings.client.tcp_keepalive_time",
        "connections.0.settings.client.tcp_keepalive_probes",
    ],
)
