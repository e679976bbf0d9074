"""tcpdump's command line: what it is to capture on an interface, for this program to read."""

from __future__ import annotations

from analyzer.capture.interface.backend import PROGRAM
from analyzer.wire import PORT_CAPWAP_DATA, PORT_GENEVE, PORT_GTP_U, PORT_VXLAN, PORT_VXLAN_LINUX

# Ethernet, two VLAN tags, an outer IPv6, UDP and VXLAN header, IPv6 and TCP with all their options, and the payload
# that heartbeats are known by.
SNAPLEN = 384
TAGS = 2  # for VLANs in VLANs (IEEE 802.1ad)
_TUNNEL_PORTS = (PORT_GTP_U, PORT_VXLAN, PORT_CAPWAP_DATA, PORT_GENEVE, PORT_VXLAN_LINUX)
# TCP; the ICMP errors that quote it; what carries it: IP in IP, GRE, AH, IPv6 extension headers, UDP tunnels.
_WANTED = (
    "tcp or icmp or icmp6 or ip proto 4 or ip proto 41 or proto 47 or proto 51 or ip6 proto 0 or ip6 proto 43 "
    "or ip6 proto 44 or ip6 proto 60 or " + " or ".join(f"udp port {port}" for port in _TUNNEL_PORTS)
)


def command(interface: str, wanted: str | None, *, vlan: bool) -> list[str]:
    """How it is called; without `vlan` frames with VLAN tags are not asked for, which some link types do not know."""
    options = ["-U", "--immediate-mode", "--nano", "-s", str(SNAPLEN), "-n", "-w", "-"]
    return [PROGRAM, "-i", interface, *options, capture_filter(wanted, vlan=vlan)]


def capture_filter(wanted: str | None, *, vlan: bool = True) -> str:
    """The filter for the kernel: what this program can read and, with `wanted`, of that only what fits it, too.

    A `vlan` in a filter moves every offset behind it (pcap-filter(7)): the second part is for frames with one tag, the
    third for those with two.
    """
    inner = f"({_WANTED})" if wanted is None else f"(({_WANTED}) and ({wanted}))"
    return " or ".join([inner, *([f"(vlan and {inner})"] * TAGS if vlan else [])])
