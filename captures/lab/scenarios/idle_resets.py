"""Connections that are reset at one idle time: by a device, at both ends in the other's name, or by a host."""

import userspace
from bare import without_timestamps
from endpoints import Talk
from stage import Scenario, Stage

LIMIT_S = 6.0
DEVICE, DEVICE_IPV6, APPLICATION = 7000, 7006, 7100
# As the client sees them, whose link the router is on; what the server sends has 63 there.
FEWER, MORE = 64, 50


def play(stage: Stage) -> None:
    """Six connections reach a device's limit, three that of the server's application, one is used in time."""
    stage.note(f"A program on the router sent the resets of the device, with hop limits of {FEWER} and {MORE}.")
    talks: list[Talk] = []
    for number in range(9):
        stage.until(number * 0.7)
        port = (DEVICE, DEVICE_IPV6, APPLICATION)[number % 3]
        family = 6 if port == DEVICE_IPV6 else 4
        if number < 3:
            with without_timestamps(stage):
                talks.append(stage.connect(server_port=port, family=family))
        else:
            talks.append(stage.connect(server_port=port, family=family))
        talks[-1].exchange(60 + 8 * number, 500 - 40 * number)
    used = stage.connect(server_port=DEVICE)
    used.exchange(20, 30)
    for number, talk in enumerate(talks):
        stage.until(number * 0.7 + LIMIT_S)
        if number == 7:
            used.exchange(20, 30)
        if number % 3 == 2:
            talk.server.abort()
            talk.outcome("aborted", "rst", "server", "abort")
        else:
            userspace.reset_both(stage, talk, MORE if number % 3 else FEWER)
            talk.outcome("middlebox_reset", "rst", "middlebox")
    stage.until(LIMIT_S + 6.4)
    used.exchange(25, 35)
    stage.until(LIMIT_S + 7)


SCENARIO = Scenario(
    name="idle-resets",
    title="A device on the path resets six idle connections at its limit, and an application three at its own.",
    look_at=(
        "The resets of the device have another hop limit than the packets of the server, in whose name they come: they "
        "passed fewer routers, or more. Those of the application have the same. One connection was used in time."
    ),
    play=play,
    findings=["middlebox-idle-timeout", "proxy-idle-close"],
    not_shown=[f"connections.{number}.state.server" for number in (0, 1, 3, 4, 6, 7)],
)
