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
    """Six are refused and six never answered, in turn."""
    waiting = []
    for family, timestamps in ((4, 1), (6, 1), (4, 0), (4, 1), (4, 1), (4, 0)):
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
    """One service whose first SYN is lost, two that are not to be had, and one that is late."""
    stage.router.drop(f"tcp dport {SLOW}")
    threading.Timer(0.5, stage.router.restore).start()
    slow = stage.connect(client=Keepalive(time=3, intvl=2, probes=3), server_port=SLOW)
    slow.exchange(300, 200)
    stage.router.drop(f"tcp dport {MUTE}")
    waiting = ask_in_vain(stage)
    early, thread = knock(stage, LATE, 4, 2)
    thread.join()
    early.handshake = "refused"
    early.outcome("refused", "refused", "server")
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
        "Seventeen connections to four services: the first SYN to one of them is lost, one refuses, one never answers, "
        "and one refuses once and then serves."
    ),
    look_at="Which services are not to be had at all, and which are.",
    play=play,
    not_shown=[f"connections.{number}.state.server" for number in range(2, 13, 2)],
)
