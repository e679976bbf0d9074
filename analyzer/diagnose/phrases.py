"""Words that findings share: durations, endpoints, and how to ask for keepalive in the language of a service."""

from __future__ import annotations

from analyzer.model.flows import SIDES, Endpoint, Flow, Keepalive
from analyzer.tcp import SECOND

# How findings about two captures of one path are known.
TWO_CAPTURES = "two captures of one path, compared by addresses, ports, numbers, IP ID and timestamps"
# By the port of the server (IANA): what its own configuration calls idle time, interval and count.
_SETTINGS = {
    5432: "PostgreSQL: tcp_keepalives_idle = {0}, tcp_keepalives_interval = {1}, tcp_keepalives_count = {2} in "
    "postgresql.conf; libpq: keepalives_idle={0} keepalives_interval={1} keepalives_count={2} in the connection string",
    6379: "Redis: tcp-keepalive {0} in redis.conf; clients: their socket keepalive options",
    22: "OpenSSH: ServerAliveInterval {0} in ssh_config, ClientAliveInterval {0} in sshd_config",
    5672: "RabbitMQ: a heartbeat of {0} s, or keepalive = true among tcp_listen_options",
    9092: "Kafka: socket.keepalive.enable=true, with sysctl net.ipv4.tcp_keepalive_time {0}, tcp_keepalive_intvl {1}",
    80: "nginx: listen ... so_keepalive={0}s:{1}s:{2}; HAProxy: option clitcpka with clitcpka-idle {0}s, "
    "clitcpka-intvl {1}s and clitcpka-cnt {2}, towards servers option srvtcpka with srvtcpka-idle, srvtcpka-intvl and "
    "srvtcpka-cnt",
}
_SETTINGS.update(dict.fromkeys((443, 8080, 8443), _SETTINGS[80]))
_GENERAL = (
    "setsockopt SO_KEEPALIVE with TCP_KEEPIDLE {0}, TCP_KEEPINTVL {1}, TCP_KEEPCNT {2}; "
    "Go: net.KeepAliveConfig{{Enable: true, Idle: {0} * time.Second, Interval: {1} * time.Second, Count: {2}}}"
)
# Microsoft: IPPROTO_TCP socket options, SIO_KEEPALIVE_VALS; the registry values are those of all sockets.
_WINDOWS = (
    "on Windows the socket options TCP_KEEPIDLE {0} and TCP_KEEPINTVL {1} (since Windows 10 1709), before that "
    "WSAIoctl with SIO_KEEPALIVE_VALS, {0}000 and {1}000 ms; for all sockets that ask for keepalive the registry "
    "values KeepAliveTime {0}000 and KeepAliveInterval {1}000 (ms) under Tcpip\\Parameters"
)
_WINDOWS_SERVICES = {1433: "SQL Server: Keep Alive {0}000 (ms) of the protocol TCP/IP in the Configuration Manager; "}


def how_to_probe(port: int, idle: int = 60, interval: int = 10, count: int = 3, *, windows: bool = False) -> str:
    """How to set such a keepalive, in the words of the service on this port, or of Windows."""
    if windows:
        return (_WINDOWS_SERVICES.get(port, "") + _WINDOWS).format(idle, interval)
    return _SETTINGS.get(port, _GENERAL).format(idle, interval, count)


def for_all_sockets(*, windows: bool = False) -> str:
    """What sets the three for all sockets that ask for keepalive."""
    if windows:
        return "the registry values KeepAliveTime and KeepAliveInterval"
    return "sysctl net.ipv4.tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes on Linux"


def seconds(nanoseconds: float) -> str:
    """A time to a tenth of a second."""
    return f"{nanoseconds / SECOND:.1f} s"


def connections(number: int) -> str:
    """`1 connection`, `3 connections`."""
    return f"{number} connection{'' if number == 1 else 's'}"


def times(number: int) -> str:
    """`once`, `3 times`."""
    return "once" if number == 1 else f"{number} times"


def other_side(side: str) -> str:
    """The peer's."""
    return SIDES[1 - SIDES.index(side)]


def named(flow: Flow, side: str) -> str:
    """The end at this side, as findings name it: a client without its port, which is another for each connection."""
    return flow.client.address if side == SIDES[0] else str(flow.server)


def ends_of(flow: Flow, keepalive: Keepalive) -> tuple[Endpoint, Endpoint]:
    """The prober and its peer."""
    return ends(flow, keepalive.sender)


def ends(flow: Flow, side: str) -> tuple[Endpoint, Endpoint]:
    """This side and the other."""
    return (flow.client, flow.server) if side == SIDES[0] else (flow.server, flow.client)
