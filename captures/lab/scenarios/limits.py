"""Limits of time: ends that close what is idle or old, a firewall that forgets, and a path that was merely cut."""

from collections.abc import Callable

from endpoints import Keepalive, Talk
from stage import Scenario, Stage
from timetable import Timetable, abort, close

PROBING = Keepalive(time=3, intvl=2, probes=3)
FORGETS_AFTER_S = 12
AT_IDLE_TIMES: list[tuple[float, int, Callable[[Talk, str], None], str, int]] = [
    (8, 7001, close, "server", 4),
    (7, 7002, abort, "server", 6),
    (9, 2049, close, "client", 4),
]


def close_idle(stage: Stage, table: Timetable) -> None:
    """A server that closes after 8 s, one that resets after 7 s, a client that closes after 9 s."""
    for number, timestamps in enumerate((1, 1, 0)):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        for idle, port, how, by, family in AT_IDLE_TIMES:
            talk = stage.connect(client=PROBING if number else None, server_port=port, family=family)
            last = 1 + 2.3 * number
            table.at(last, talk.exchange, 200, 500)
            table.at(last + idle, how, talk, by)
    stage.client.sysctl(ipv4__tcp_timestamps=1)


def close_old(stage: Stage, table: Timetable) -> None:
    """A server that closes busy connections at an age of 31 s."""

    def begin(second: float, every: int, timestamps: int) -> None:
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        talk = stage.connect(client=PROBING, server_port=7003)
        for after in range(1, 29 - every, every):
            table.at(second + after, talk.exchange, 120, 310)
        table.at(second + 31.02, close, talk, "server")

    for number, timestamps in enumerate((1, 0, 1)):
        second = 0.6 + 1.9 * number
        table.at(second, begin, second, 3 + number, timestamps)


def close_anyhow(stage: Stage, table: Timetable) -> None:
    """Closed when they were done, after any time; and all at one moment, when the service stopped."""
    for idle in (4.7, 9.6, 14.9):
        talk = stage.connect(client=PROBING, server_port=7005)
        table.at(1.2, talk.exchange, 90, 400)
        table.at(1.2 + idle, close, talk, "server")
    for last in (5.0, 9.0, 16.5):
        talk = stage.connect(client=PROBING, server_port=7006, family=6)
        table.at(last, talk.exchange, 90, 400)
        table.at(24.2, close, talk, "server")


def closing(stage: Stage) -> None:
    """Eighteen connections, of which twelve meet a limit."""
    table = Timetable(stage)
    close_idle(stage, table)
    close_anyhow(stage, table)
    close_old(stage, table)
    table.play(37)


def forgotten(stage: Stage) -> None:
    """Of two pairs of addresses, those connections die that were silent for too long."""
    stage.client.sysctl(ipv4__tcp_retries2=3)
    stage.router.forget_after(FORGETS_AFTER_S, "drop")
    stage.note(
        f"The router tracked connections, forgot them after {FORGETS_AFTER_S} s of silence, and dropped what came "
        "after. The client's net.ipv4.tcp_retries2 was 3."
    )
    table = Timetable(stage)
    for number, (family, timestamps, silence) in enumerate(
        ((4, 1, 7.5), (4, 0, 9.0), (4, 1, 10.5), (6, 1, 8.5), (6, 0, 10.0))
    ):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        talk = stage.connect(family=family)
        for turn in range(3):
            table.at(1 + 0.2 * number + turn * silence, talk.exchange, 100, 400)
    for family, timestamps, silence in ((4, 1, 14), (4, 0, 16), (6, 1, 15), (6, 0, 17)):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        talk = stage.connect(client=Keepalive(time=silence, intvl=2, probes=3), family=family)
        table.at(1, talk.exchange, 150, 250)
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
    stage.client.sysctl(ipv4__tcp_timestamps=1)
    speaks = stage.connect()
    table.at(1, speaks.exchange, 150, 250)
    table.at(15.5, speaks.client.send, 180)
    speaks.outcome("middlebox_drop", "timeout", "client")
    table.play(26.5)


def cut(stage: Stage) -> None:
    """The path is cut for everybody, whatever they are doing."""
    stage.client.sysctl(ipv4__tcp_retries2=4)
    stage.note("The client's net.ipv4.tcp_retries2 was 4.")
    table = Timetable(stage)
    for family, timestamps, every in ((4, 1, 0.9), (6, 1, 1.3), (4, 0, 2.2)):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        talk = stage.connect(family=family)
        for turn in range(1, int(9.5 / every) + 1):
            table.at(turn * every, talk.exchange, 120, 240)
        table.at(9.8 + every / 10, talk.client.send, 120)
        talk.outcome("retransmission_timeout", "timeout", "client")
    for family, timestamps, idle in ((4, 1, 6), (6, 0, 5), (4, 0, 8)):
        stage.client.sysctl(ipv4__tcp_timestamps=timestamps)
        talk = stage.connect(client=Keepalive(time=idle, intvl=2, probes=3), family=family)
        table.at(4.3 + idle / 10, talk.exchange, 90, 90)
        talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
    slow = stage.connect(client=Keepalive(time=7, intvl=2, probes=3))
    table.at(0.5, slow.exchange, 80, 80)
    slow.outcome("dead_peer", "rst", "client", "keepalive_exhausted")
    table.at(9.7, stage.router.silence, "server")
    table.play(25.5)


def lost(count: int, first: int = 0) -> list[str]:
    """That the recording does not show how the server's ends fared."""
    return [f"connections.{number}.state.server" for number in range(first, first + count)]


SCENARIOS = [
    Scenario(
        name="closed-at-a-limit",
        findings=["proxy-idle-close", "age-not-idle"],
        title=(
            "Ends that close after a time without data, with FIN or RST, a server that closes at an age, and others "
            "that close when they like."
        ),
        look_at=(
            "Port 7001: closed by the server after 8 s without data, probes aside. Port 7002: reset after 7 s. Port "
            "2049: closed by the client after 9 s. Port 7003: closed at an age of 31 s. Ports 7005 and 7006: no limit."
        ),
        play=closing,
    ),
    Scenario(
        name="firewall-forgets-some",
        findings=["middlebox-idle-timeout"],
        title=(
            "Ten connections through a firewall that forgets after 12 s: five that are never silent for as long live "
            "on, five die without a word."
        ),
        look_at="What was survived, 10.5 s and 10 s, and what was fatal, 14 s and 15 s, bound the device's timeout.",
        play=forgotten,
        not_shown=[*lost(5, 5), "connections.9.state.client"],
    ),
    Scenario(
        name="cut-in-mid-traffic",
        title="A path is cut for seven connections at once: three in the middle of traffic, four in short silences.",
        look_at="None outlives the cut, however short its silence was: no device has forgotten anything.",
        play=cut,
        not_shown=[*lost(7), *(f"connections.{number}.state.client" for number in range(3))],
    ),
]
