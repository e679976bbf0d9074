"""Connections that are never made, and some that are made late."""

import threading

from endpoints import Keepalive, Talk
from stage import Scenario, Stage

REFUSING, MUTE, LATE, SLOW = 7009, 7010, 7011, 7012
PATIENCE_S = 7.5


def knock(stage: Stage, port: int, family: int, seconds: float) -> tuple[Talk, threading.Thread]:
    """Ask for a connection meanwhile."""
    talk = stage.new_talk(family, server_port=port)
    thread = threading.Thread(target=stage.try_connect, args=(talk, seconds, family))
    thread.start()
    return talk, thread


def ask_in_vain(stage: Stage) -> list[threading.Thread]:
    """Three are refused and three never answered, in turn."""
    waiting = []
    for family, timestamps in ((4, 1), (6, 1), (4, 0)):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        refused, thread = knock(stage, REFUSING, family, 2)
        thread.join()
        refused.handshake = "refused"
        refused.outcome("refused", "refused", "server")
        silent, thread = knock(stage, MUTE, family, PATIENCE_S)
        silent.handshake = "no_answer"
        silent.outcome("no_answer", "no_answer")
        waiting.append(thread)
        stage.sleep(0.4)
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    return waiting


def play(stage: Stage) -> None:
    """Two services that are not to be had, one that is late, and one whose first SYN is lost."""
    stage.router.drop(f"tcp dport {MUTE}")
    stage.router.drop(f"tcp dport {SLOW}")
    waiting = ask_in_vain(stage)
    early, thread = knock(stage, LATE, 4, 2)
    thread.join()
    early.handshake = "refused"
    early.outcome("refused", "refused", "server")

    threading.Timer(0.5, stage.router.restore).start()
    slow = stage.connect(client=Keepalive(time=3, intvl=2, probes=3), server_port=SLOW)
    stage.router.drop(f"tcp dport {MUTE}")
    slow.exchange(300, 200)
    for _ in range(3):
        made = stage.connect(server_port=LATE)
        made.exchange(80, 90)
        made.client.close()
        made.server.close()
        made.outcome("closed", "fin", "client")
        stage.sleep(0.3)
    for thread in waiting:
        thread.join()
    stage.sleep(2)


SCENARIO = Scenario(
    name="closed-doors",
    title=(
        "Eleven connections to four services: one service refuses, one never answers, one refuses once and then serves, "
        "and the first SYN to the last one is lost."
    ),
    look_at="Which services are not to be had at all, and which are.",
    play=play,
    not_shown=[f"connections.{number}.state.server" for number in (1, 3, 5)],
)
