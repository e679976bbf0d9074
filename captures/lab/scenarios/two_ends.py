"""One connection recorded at both ends, in two files and in one."""

from collections.abc import Callable
from pathlib import Path

import publishing
from endpoints import Keepalive
from stage import Capture, Scenario, Stage


def play(stage: Stage) -> None:
    """Both ends probe; the path is cut, and mended before the client gives up."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=6), server=Keepalive(time=8, intvl=3, probes=5))
    talk.exchange(222, 555)
    stage.until(5)
    stage.router.silence("server")
    stage.until(12)
    stage.router.restore()
    stage.until(18.3)
    talk.exchange(20, 40)
    stage.until(19)
    talk.client.close()
    stage.sleep(0.1)
    talk.server.close()
    talk.outcome("closed", "fin", "client")


def scenario(name: str, title: str, publish: Callable[[Path, Path], None], published: str, *findings: str) -> Scenario:
    """One way to publish it."""
    return Scenario(
        name=name,
        title=title,
        look_at=(
            "What both ends saw is there twice and counts once. Probes that only one end saw were lost on the way."
        ),
        play=play,
        capture=Capture(publish=publish, published=published, with_far_end=True),
        findings=findings,
    )


SCENARIOS = [
    scenario(
        "two-ends",
        "An outage recorded at both ends: the client's file and the server's, which begins with other bytes.",
        publishing.with_far_end,
        "capture.*.pcap",
    ),
    scenario(
        "two-ends-merged",
        "An outage recorded at both ends, in one file of two interfaces and two link types.",
        publishing.merged_with_far_end,
        "capture.pcapng",
        "duplicate-capture",
    ),
]
