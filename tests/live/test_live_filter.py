"""What the kernel lets through: real frames on a wire, of which `live` is to see those with TCP in them, no others."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from frames_in_bytes import ACK, CLIENT, ICMP, MACS, QINQ, SERVER, SYN, UDP, VLAN, ethernet, icmp_error, ipv4, tcp
from live_network import Hosts, two_hosts
from living import Json, ended, event, running, said
from tunnelled import OUTER, VXLAN
from tunnelled import UDP as UDP_HEADER

PLAIN, TAGGED, TWICE, TUNNELLED = 40001, 40002, 40003, 40004  # ports of clients
SEND = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0))
for line in sys.stdin:
    wire.send(bytes.fromhex(line))
"""
REFUSED = """
import socket
socket.socket().connect_ex(("127.0.0.1", 7001))
"""


def handshake(port: int) -> list[bytes]:
    """From the IP header on."""
    return [
        ipv4(tcp(port, 7000, seq=100, ack=0, flags=SYN)),
        ipv4(tcp(7000, port, seq=500, ack=101, flags=SYN | ACK), source=SERVER, destination=CLIENT),
        ipv4(tcp(port, 7000, seq=101, ack=501, flags=ACK)),
    ]


CONNECTIONS = {
    PLAIN: [ethernet(packet) for packet in handshake(PLAIN)],
    TAGGED: [ethernet(packet, VLAN) for packet in handshake(TAGGED)],
    TWICE: [ethernet(packet, QINQ, VLAN) for packet in handshake(TWICE)],
    TUNNELLED: [
        ethernet(bytes(OUTER / UDP_HEADER(dport=4789) / VXLAN(vni=42, flags="Instance") / ethernet(packet)))
        for packet in handshake(TUNNELLED)
    ],
}
UNREACHABLE = ethernet(ipv4(icmp_error(3, 1, handshake(PLAIN)[0][:28]), ICMP, source=SERVER, destination=CLIENT))
DATAGRAM = ipv4(tcp(40009, 53)[:8], UDP)
NOISE = [ethernet(DATAGRAM), ethernet(DATAGRAM, VLAN), ethernet(DATAGRAM, QINQ, VLAN)]


def put(hosts: Hosts, frames: list[bytes]) -> None:
    """On the wire, from the far end."""
    command = ["ip", "netns", "exec", hosts.server, sys.executable, "-c", SEND, "far"]
    subprocess.run(command, input="\n".join(frame.hex() for frame in frames), text=True, check=True)


@contextmanager
def capturing(*arguments: str) -> Iterator[tuple[Hosts, subprocess.Popen[bytes]]]:
    with two_hosts() as hosts:
        prefix = ("ip", "netns", "exec", hosts.client)
        with running(*arguments, "--format", "ndjson", prefix=prefix) as process:
            for _ in range(arguments.count("-i")):
                assert said(process).endswith(b": capturing\n")
            yield hosts, process


def kept(folder: Path) -> list[bytes]:
    """The frames in the one file there that we have made."""
    from scapy.utils import rdpcap

    [path] = folder.iterdir()
    return [octets for packet in rdpcap(str(path)) if (octets := bytes(packet)).startswith(MACS)]


def ports(told: list[Json]) -> set[int]:
    return {line["client"]["port"] for line in told if line["type"] == "flow"}


@pytest.mark.parametrize("backend", ["tcpdump", "scapy"])
def test_what_tcp_is_in_comes_through_and_nothing_else(backend: str, tmp_path: Path) -> None:
    wanted = [frame for frames in CONNECTIONS.values() for frame in frames] + [UNREACHABLE]
    with capturing("-i", "near", "--backend", backend, "--write", str(tmp_path)) as (hosts, process):
        put(hosts, [*NOISE, *wanted, *NOISE])
        while event(process, "connection-opened")["client"]["port"] != TUNNELLED:
            pass
        told = ended(process, signal.SIGINT)
    assert kept(tmp_path) == wanted
    assert ports(told) == set(CONNECTIONS)
    assert {line["handshake"] for line in told if line["type"] == "flow"} == {"complete"}


@pytest.mark.parametrize("backend", ["tcpdump", "scapy"])
@pytest.mark.parametrize("port", [PLAIN, TAGGED, TWICE])
def test_of_that_a_filter_lets_through_what_fits(port: int, backend: str, tmp_path: Path) -> None:
    arguments = ("-i", "near", "--backend", backend, "--filter", f"port {port}", "--write", str(tmp_path))
    with capturing(*arguments) as (hosts, process):
        put(hosts, [*NOISE, *(frame for frames in CONNECTIONS.values() for frame in frames), UNREACHABLE])
        event(process, "connection-opened")
        told = ended(process, signal.SIGINT)
    assert kept(tmp_path) == CONNECTIONS[port]
    assert ports(told) == {port}


def test_frames_with_tags_are_captured_on_any_interface_too(tmp_path: Path) -> None:
    """Its link type knows no VLAN in a filter; the kernel has taken the first tag out of the frame before."""
    with capturing("-i", "any") as (hosts, process):
        put(hosts, [*NOISE, *CONNECTIONS[PLAIN], *CONNECTIONS[TAGGED], *CONNECTIONS[TUNNELLED]])
        while event(process, "connection-opened")["client"]["port"] != TUNNELLED:
            pass
        told = ended(process, signal.SIGINT)
    assert ports(told) == {PLAIN, TAGGED, TUNNELLED}
    assert [line["link_types"] for line in told if line["type"] == "capture"] == [["LINUX_SLL2"]]


def test_several_interfaces_are_captured_at_once() -> None:
    """One of them is named twice, and captured on once."""
    with two_hosts() as hosts:
        inside = ("ip", "netns", "exec", hosts.client)
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        arguments = ("-i", "near", "-i", "near", "-i", "lo", "--format", "ndjson")
        with running(*arguments, prefix=inside) as process:
            assert {said(process), said(process)} == {b"keepalive: near: capturing\n", b"keepalive: lo: capturing\n"}
            put(hosts, CONNECTIONS[PLAIN])
            assert event(process, "connection-opened")["client"]["port"] == PLAIN
            subprocess.run([*inside, sys.executable, "-c", REFUSED], check=True)
            assert event(process, "connection-opened")["server"]["port"] == 7001
            told = ended(process, signal.SIGINT)
    assert [line["server"]["port"] for line in told if line["type"] == "flow"] == [7000, 7001]
    assert [line["path"] for line in told if line["type"] == "capture"] == ["near", "lo"]
