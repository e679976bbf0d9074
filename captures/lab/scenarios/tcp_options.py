"""Connections whose segments carry options that few have: Multipath TCP, and MD5 signatures as between BGP routers."""

import socket
import struct

from endpoints import Keepalive
from stage import Capture, Scenario, Stage

IPPROTO_MPTCP = 262
TCP_MD5SIG = 14
KEY = b"laboratory"


def multipath(stage: Stage) -> None:
    """One path alone; the settings of the connection are those of its subflow."""
    for host in (stage.client, stage.server):
        host.sysctl(mptcp__enabled=1)
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3), protocol=IPPROTO_MPTCP)
    talk.exchange(140, 420)
    talk.errors_unknown = "the connection outlives its subflow, and its socket has no error"
    stage.note(f"No socket error stands against the reset: {talk.errors_unknown}.")
    stage.until(6.3)
    stage.router.silence("server")
    stage.until(16.5)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def sign(sock: socket.socket, peer: tuple[str, int]) -> None:
    """Ask for a signature on every segment to and from an IPv4 address (struct tcp_md5sig)."""
    address = struct.pack("!HH4s", 0, 0, socket.inet_aton(peer[0]))
    address = struct.pack("=H", socket.AF_INET) + address[2:]
    sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, struct.pack("128sBBHI80s", address, 0, 0, len(KEY), 0, KEY))


def signed(stage: Stage) -> None:
    """Two answered probes and a close in order."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4), server_port=1179, prepare=sign)
    talk.exchange(19, 19)
    stage.until(8)
    talk.server.close()
    stage.sleep(0.1)
    talk.client.close()
    talk.outcome("closed", "fin", "server")


def lingering(stage: Stage) -> None:
    """The server closes with linger 0 after two answered probes."""
    talk = stage.connect(client=Keepalive(time=3, intvl=1, probes=3), family=6)
    talk.exchange(45, 95)
    stage.until(8)
    talk.server.abort()
    stage.until(8.5)
    talk.outcome("aborted", "rst", "server", "abort")


SCENARIOS = [
    Scenario(
        name="multipath",
        title="A dead peer of a Multipath TCP connection with one path.",
        look_at="Probes and answers carry MPTCP options (data acknowledgements) in a header of 32 bytes and more.",
        play=multipath,
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="signed",
        title="Every segment carries an MD5 signature (RFC 2385), as between routers that speak BGP.",
        look_at="18 bytes of option in every segment leave no room for timestamps.",
        play=signed,
        capture=Capture(vantage="server"),
    ),
    Scenario(
        name="linger-abort",
        title="The server resets an idle IPv6 connection by closing it with linger 0.",
        look_at="RST,ACK in the middle of an interval: the application, not a timer.",
        play=lingering,
        capture=Capture(vantage="router"),
    ),
]
