"""Probes of one garbage byte, as Windows sends them, answered by a Linux kernel."""

from endpoints import Keepalive
from stage import Scenario, Stage
from userspace import send_garbage_octet

WINDOWS_LIKE = Keepalive(time=5, intvl=1, probes=10)


def play(stage: Stage) -> None:
    """Idle for 5 s three times, a request, and idle for 5 s twice more."""
    # Windows does not use timestamps by default, nor does a connection whose client does not offer them.
    stage.client.sysctl(ipv4__tcp_timestamps=0)
    talk = stage.connect()
    talk.client.keepalive = WINDOWS_LIKE
    stage.note(
        "No socket had keepalive on: a script sent the probes, through a raw socket on the client's host, "
        "with these settings in mind. Timestamps were off on the client (net.ipv4.tcp_timestamps=0)."
    )
    talk.exchange(256, 1024)
    for second in (5, 10, 15):
        stage.until(second)
        send_garbage_octet(stage)
    stage.until(17)
    talk.exchange(64, 64)
    for second in (22, 27):
        stage.until(second)
        send_garbage_octet(stage)
    stage.until(28)


SCENARIO = Scenario(
    name="one-octet",
    title=("The client's probes carry one garbage byte, below the window, and the server's kernel answers each."),
    look_at=(
        "The payload is a single zero at the last acknowledged sequence number. The answers carry a SACK "
        "block that repeats that byte: a D-SACK (RFC 2883), which probes without payload never draw."
    ),
    play=play,
    expected_probes={"client": 5},
)
