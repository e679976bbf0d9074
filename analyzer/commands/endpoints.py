"""The options `--host` and `--port`: addresses and ports, as masks over the table of connections."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analyzer.commands.declared import Decorator, option
from analyzer.errors import UsageError
from analyzer.tables.fields import HIGH_HI, HIGH_LO, KEY_PORTS, LOW_HI, LOW_LO

if TYPE_CHECKING:
    from analyzer.tables.arrays import Column, Mask

NOT = "!"
MAX_PORT = 0xFFFF
HALF = 64
MAPPED = 0xFFFF << 32  # ::ffff:0:0/96: the flow table has IPv4 addresses so
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The services that captures are read for, whatever this host's own list holds; that list has the others.
SERVICES = {
    "amqp": 5672, "amqps": 5671, "bgp": 179, "cassandra": 9042, "dns": 53, "elasticsearch": 9200, "etcd": 2379,
    "http": 80, "https": 443, "imap": 143, "imaps": 993, "kafka": 9092, "ldap": 389, "ldaps": 636, "memcached": 11211,
    "mongodb": 27017, "mqtt": 1883, "mqtts": 8883, "mssql": 1433, "mysql": 3306, "nats": 4222, "nfs": 2049,
    "oracle": 1521, "postgres": 5432, "postgresql": 5432, "rabbitmq": 5672, "rdp": 3389, "redis": 6379, "sip": 5060,
    "smb": 445, "smtp": 25, "ssh": 22, "telnet": 23, "zookeeper": 2181,
}  # fmt: skip


def host_option(what: str, section: str) -> Decorator:
    """The option that selects these by address; `what` are connections, or sockets."""
    return option(
        "--host",
        "hosts",
        multiple=True,
        metavar="ADDR",
        section=section,
        help=f"Only {what} of this address or network (10.0.0.5, 10.0.0.0/8); '!ADDR' excludes it",
    )


def port_option(what: str, section: str) -> Decorator:
    """The option that selects these by port."""
    return option(
        "--port",
        "ports",
        multiple=True,
        metavar="PORT",
        section=section,
        help=f"Only {what} with this port at either end (443, 8000-8099, https); '!PORT' excludes it",
    )


def with_hosts(flows: Column, hosts: Sequence[str]) -> Mask:
    """The connections of one of these networks, and of none of those that are excluded."""
    ends = (flows[:, [LOW_HI, LOW_LO]], flows[:, [HIGH_HI, HIGH_LO]])

    def has(text: str) -> Mask:
        network = parse_network(text)
        return _within(ends[0], network) | _within(ends[1], network)

    return _chosen(flows, hosts, has)


def with_ports(flows: Column, ports: Sequence[str]) -> Mask:
    """The connections with one of these ports at either end, and with none of those that are excluded."""
    ends = (flows[:, KEY_PORTS] >> 16, flows[:, KEY_PORTS] & MAX_PORT)

    def has(text: str) -> Mask:
        low, high = parse_ports(text)
        mask: Mask = ((ends[0] >= low) & (ends[0] <= high)) | ((ends[1] >= low) & (ends[1] <= high))
        return mask

    return _chosen(flows, ports, has)


def _chosen(flows: Column, texts: Sequence[str], has: Callable[[str], Mask]) -> Mask:
    import numpy as np

    wanted = [has(text) for text in texts if not text.startswith(NOT)]
    excluded = [has(text.removeprefix(NOT)) for text in texts if text.startswith(NOT)]
    chosen = np.logical_or.reduce(wanted) if wanted else np.ones(len(flows), bool)
    for mask in excluded:
        chosen = chosen & ~mask
    return chosen


def parse_network(text: str) -> Network:
    """An address, or a network in CIDR notation; raises UsageError for anything else: names are never looked up."""
    try:
        return ipaddress.ip_network(re.sub(r"[\[\]]|%[^/]*", "", text), strict=False)
    except ValueError as error:
        raise UsageError(
            f"--host {text}: not an IP address or network (10.0.0.5, 10.0.0.0/8, 2001:db8::/32); names are not resolved"
        ) from error


def _within(addresses: Column, network: Network) -> Mask:
    """Which of these addresses, each as two signed halves, are in a network."""
    bits, prefix = int(network.network_address), network.prefixlen
    if network.version == 4:
        bits, prefix = bits | MAPPED, prefix + 96
    mask = ((1 << prefix) - 1) << (128 - prefix)
    high, low = addresses[:, 0], addresses[:, 1]
    within: Mask = (high & _signed(mask >> HALF) == _signed(bits >> HALF)) & (low & _signed(mask) == _signed(bits))
    if prefix < 96:  # of IPv6: what stands for an IPv4 address is none of its own
        within &= (high != 0) | (low >> 32 != MAPPED >> 32)
    return within


def _signed(value: int) -> int:
    """The lowest 64 bits, as the flow table has them."""
    value &= (1 << HALF) - 1
    return value - (1 << HALF) if value >> (HALF - 1) else value


def parse_ports(text: str) -> tuple[int, int]:
    """The first and the last port of `443`, `8000-8099` or `https`; raises UsageError for anything else."""
    if match := re.fullmatch(r"(\d+)(?:-(\d+))?", text):
        low = int(match[1])
        high = int(match[2] or low)
        if low <= high <= MAX_PORT:
            return low, high
        raise UsageError(f"--port {text}: ports are 0 to {MAX_PORT}, and a range is LOW-HIGH")
    try:
        import socket

        port = SERVICES.get(text.lower()) or socket.getservbyname(text.lower(), "tcp")
    except (OSError, ValueError) as error:
        raise UsageError(f"--port {text}: not a port (443), a range (8000-8099) or the name of a service") from error
    return port, port
