"""How to set keepalive in the configuration of each program: lines that it accepts, and since which version.

`tests/knowledge/test_snippets.py` gives each to the program itself, or to its compiler.
"""

from __future__ import annotations

from typing import NamedTuple

EITHER = ("client", "server")
WEB_PORTS = (80, 443, 8080, 8443)


class Timing(NamedTuple):
    """Keepalive settings: seconds of silence before the first probe, seconds between probes, probes."""

    idle: int
    interval: int
    probes: int

    @property
    def total(self) -> int:
        """The seconds of silence after which a dead peer is detected."""
        return self.idle + self.interval * self.probes

    def __str__(self) -> str:
        return f"idle {self.idle} s, interval {self.interval} s, {self.probes} probe{'s' * (self.probes != 1)}"


class Snippet(NamedTuple):
    """Lines for one place of one program's configuration, with $idle, $interval, $count and what follows from them."""

    software: str
    where: str
    lines: tuple[str, ...]
    since: str
    source: str
    sides: tuple[str, ...] = EITHER  # of the connection: who runs this program; a proxy is no usual client
    ports: tuple[int, ...] = ()  # of the services that it offers or uses; none: of any

    def filled(self, timing: Timing, port: int = 0) -> tuple[str, ...]:
        """The lines with these settings."""
        values = {
            "idle": timing.idle,
            "interval": timing.interval,
            "count": timing.probes,
            "port": port or (self.ports or (80,))[0],
            "total_ms": timing.total * 1000,
            "idle_ms": timing.idle * 1000,
            "interval_ms": timing.interval * 1000,
            # A heartbeat that may be missed `count` times, and Redis, whose three probes are a third of it apart.
            "every": max(1, min(timing.idle, timing.total // timing.probes)),
            # ssh leaves when more than so many messages got no reply (openssh clientloop.c server_alive_check()).
            "missed": max(1, timing.probes - 1),
            "half": max(1, min(timing.idle, timing.total // 2)),
        }
        from string import Template

        return tuple(Template(line).substitute(values) for line in self.lines)

    def text(self, timing: Timing, port: int = 0) -> str:
        """One line for a sentence: the program, the place, the settings."""
        lines = ", ".join(f"`{line}`" for line in self.filled(timing, port))
        return f"{self.software} ({self.where}): {lines}"


SNIPPETS = (
    Snippet(
        "nginx",
        "server block",
        ("listen $port so_keepalive=${idle}s:${interval}s:$count;",),
        "1.1.11",
        "nginx.org ngx_http_core_module, listen",
        ("server",),
        WEB_PORTS,
    ),
    Snippet(
        "HAProxy",
        "frontend",
        ("option clitcpka", "clitcpka-idle ${idle}s", "clitcpka-intvl ${interval}s", "clitcpka-cnt $count"),
        "2.4",
        "HAProxy configuration manual 4.2",
        ("server",),
        WEB_PORTS,
    ),
    Snippet(
        "HAProxy",
        "backend",
        ("option srvtcpka", "srvtcpka-idle ${idle}s", "srvtcpka-intvl ${interval}s", "srvtcpka-cnt $count"),
        "2.4",
        "HAProxy configuration manual 4.2",
        ("proxy",),
        WEB_PORTS,
    ),
    Snippet(
        "OpenSSH client",
        "ssh_config",
        ("ServerAliveInterval $every", "ServerAliveCountMax $missed"),
        "3.8",
        "ssh_config(5)",
        ("client",),
        (22,),
    ),
    Snippet(
        "OpenSSH server",
        "sshd_config",
        ("ClientAliveInterval $every", "ClientAliveCountMax $missed"),
        "2.9",
        "sshd_config(5)",
        ("server",),
        (22,),
    ),
    Snippet("Redis", "redis.conf", ("tcp-keepalive $half",), "2.6", "redis.conf; anet.c", ("server",), (6379,)),
    Snippet(
        "PostgreSQL",
        "postgresql.conf",
        (
            "tcp_keepalives_idle = $idle",
            "tcp_keepalives_interval = $interval",
            "tcp_keepalives_count = $count",
            "tcp_user_timeout = $total_ms",
        ),
        "12",
        "PostgreSQL manual 20.3",
        ("server",),
        (5432,),
    ),
    Snippet(
        "libpq",
        "connection string",
        ("keepalives_idle=$idle keepalives_interval=$interval keepalives_count=$count tcp_user_timeout=$total_ms",),
        "12",
        "PostgreSQL manual 34.1",
        ("client",),
        (5432,),
    ),
    Snippet(
        "MariaDB",
        "my.cnf, [mysqld]",
        ("tcp_keepalive_time=$idle", "tcp_keepalive_interval=$interval", "tcp_keepalive_probes=$count"),
        "10.3.3",
        "MariaDB server system variables",
        ("server",),
        (3306,),
    ),
    Snippet(
        "RabbitMQ",
        "rabbitmq.conf",
        ("heartbeat = $half",),
        "3.7",
        "rabbitmq.com/docs/heartbeats: sent every half of it, and two may be missed",
        EITHER,
        (5672, 5671),
    ),
    Snippet(
        "librdkafka",
        "client properties; only enables keepalive, the timing is the system's",
        ("socket.keepalive.enable=true",),
        "0.8",
        "librdkafka CONFIGURATION.md; idle time, interval and count come from the system",
        ("client",),
        (9092,),
    ),
    Snippet(
        "Linux",
        "sysctl, for programs that only set SO_KEEPALIVE",
        (
            "net.ipv4.tcp_keepalive_time=$idle",
            "net.ipv4.tcp_keepalive_intvl=$interval",
            "net.ipv4.tcp_keepalive_probes=$count",
        ),
        "2.2",
        "Linux Documentation/networking/ip-sysctl.rst",
    ),
    Snippet(
        "C",
        "connected socket fd",
        (
            "setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));",
            "setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){$idle}, sizeof(int));",
            "setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){$interval}, sizeof(int));",
            "setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){$count}, sizeof(int));",
        ),
        "C99; Linux 2.4",
        "tcp(7)",
    ),
    Snippet(
        "Go",
        "net.Dialer or net.ListenConfig",
        (
            "KeepAliveConfig: net.KeepAliveConfig{Enable: true, "
            "Idle: $idle * time.Second, Interval: $interval * time.Second, Count: $count},",
        ),
        "1.23",
        "pkg.go.dev/net#KeepAliveConfig",
    ),
    Snippet(
        "Python",
        "connected socket sock",
        (
            "sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)",
            "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, $idle)",
            "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, $interval)",
            "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, $count)",
        ),
        "3.0; on Windows 3.7",
        "docs.python.org/3/library/socket.html",
    ),
    Snippet(
        "Node.js",
        "connected socket; interval 1 s and 10 probes are fixed since 12.17",
        ("socket.setKeepAlive(true, $idle_ms);",),
        "0.1.92",
        "nodejs.org/api/net.html; libuv uv_tcp_keepalive()",
    ),
    Snippet(
        "Java",
        "connected socket",
        (
            "socket.setKeepAlive(true);",
            "socket.setOption(jdk.net.ExtendedSocketOptions.TCP_KEEPIDLE, $idle);",
            "socket.setOption(jdk.net.ExtendedSocketOptions.TCP_KEEPINTERVAL, $interval);",
            "socket.setOption(jdk.net.ExtendedSocketOptions.TCP_KEEPCOUNT, $count);",
        ),
        "11",
        "jdk.net.ExtendedSocketOptions",
    ),
)


def snippets_for(port: int, side: str) -> list[Snippet]:
    """Those of programs that are likely at this side of a service, none where its port says nothing."""
    return [one for one in SNIPPETS if port in one.ports and side in one.sides]


def snippet(software: str) -> Snippet:
    """The first of a program; raises StopIteration for one that there is not."""
    return next(one for one in SNIPPETS if one.software == software)


def every_snippet(timing: Timing) -> str:
    """All of them, one paragraph each, as a manual shows them."""
    parts = []
    for one in SNIPPETS:
        parts.append(f"{one.software}, {one.where} (since {one.since}):")
        parts += [f"    {line}" for line in one.filled(timing)]
    return "\n".join(parts)
