"""The default of two hours, as long as a test run and stretched."""

import publishing
from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """96 s, 1 s, 9 probes: a seventy-fifth of Linux's own settings."""
    for host in (stage.client, stage.server):
        host.sysctl(ipv4__tcp_timestamps=0)
    talk = stage.connect(client=Keepalive(time=96, intvl=1, probes=9))
    talk.exchange(410, 830)
    stage.until(1)
    stage.router.silence("server")
    stage.until(108)
    stage.note(
        f"The times of this recording are stretched: everything took a {publishing.STRETCH}th of the time that it "
        "shows, the settings were 96 s, 1 s and 9, and so the timers' roundings are stretched, too. Timestamps "
        "were off at both ends (net.ipv4.tcp_timestamps), because their clock cannot be stretched."
    )
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


SCENARIO = Scenario(
    name="linux-defaults-stretched",
    findings=["keepalive-at-two-hour-default"],
    title="Linux's default of 7200 s, 75 s and 9 probes, made by stretching the times of a recording of 96, 1 and 9.",
    look_at=(
        "A dead peer is noticed two hours and eleven minutes after its last word. Round trips are stretched, too."
    ),
    play=play,
    capture=Capture(publish=publishing.stretched, stretched=publishing.STRETCH),
    expected_probes={"client": 9},
    not_shown=["connections.0.state.server"],
)
