"""Tunnels between client and server: their IPv4 travels inside, their IPv6 outside."""

import fcntl
import os
import select
import socket
import struct
import threading

from network import ADDRESSES, Namespace
from stage import Stage

DEVICE = "t0"
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IPPROTO_GRE = 47
GRE_WITH_KEY = 0x2000  # RFC 2890
ETHERTYPE_IPV4 = 0x0800
GRE_HEADER = struct.Struct(">HHI")
INNER_MTU = 1400
MACS = {"client": "02:00:00:00:02:0c", "server": "02:00:00:00:02:05"}
FAR = {"client": "server", "server": "client"}


def vxlan(stage: Stage, identifier: int) -> None:
    """Join the two hosts by the kernel's own VXLAN devices."""
    for role, host in ends(stage):
        host.run("ip", "link", "add", DEVICE, "address", MACS[role], "type", "vxlan",
                 "id", str(identifier), "dstport", "4789",
                 "local", ADDRESSES[role, 6], "remote", ADDRESSES[FAR[role], 6])  # fmt: skip
    route(stage)
    for role, host in ends(stage):  # an ARP request that the router drops would look like a lost segment
        far = FAR[role]
        host.run("ip", "neigh", "replace", ADDRESSES[far, 4], "lladdr", MACS[far], "dev", DEVICE, "nud", "permanent")


def gre(stage: Stage, key: int) -> None:
    """Join the two hosts by GRE with a key; this kernel has no such device, so threads pack and unpack."""
    for role, host in ends(stage):
        with host.entered():
            device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
            outside = socket.socket(socket.AF_INET6, socket.SOCK_RAW, IPPROTO_GRE)
        carried = (stage, device, outside, ADDRESSES[FAR[role], 6], key)
        threading.Thread(target=_carry, args=carried, daemon=True).start()
    route(stage)


def ends(stage: Stage) -> list[tuple[str, Namespace]]:
    """Both hosts by role."""
    return [("client", stage.client), ("server", stage.server)]


def route(stage: Stage) -> None:
    """Send the IPv4 of each host to the other through its tunnel device."""
    for role, host in ends(stage):
        host.sysctl(**{f"ipv6__conf__{DEVICE}__disable_ipv6": 1})  # whose solicitations would be lost segments, too
        host.run("ip", "link", "set", DEVICE, "mtu", str(INNER_MTU), "up")
        host.run("ip", "route", "replace", f"{ADDRESSES[FAR[role], 4]}/32", "dev", DEVICE, "src", ADDRESSES[role, 4])


def _carry(stage: Stage, device: int, outside: socket.socket, far: str, key: int) -> None:
    """Pack what comes from the device, unpack what comes from the far end, until the stage is taken down."""
    try:
        while not stage.closed.is_set():
            ready, _, _ = select.select([device, outside.fileno()], [], [], 0.2)
            if device in ready:
                packet = os.read(device, 1 << 16)
                if packet[0] >> 4 == 4:
                    outside.sendto(GRE_HEADER.pack(GRE_WITH_KEY, ETHERTYPE_IPV4, key) + packet, (far, 0))
            if outside.fileno() in ready:
                packet = outside.recv(1 << 16)
                if GRE_HEADER.unpack_from(packet) == (GRE_WITH_KEY, ETHERTYPE_IPV4, key):
                    os.write(device, packet[GRE_HEADER.size :])
    finally:
        os.close(device)
        outside.close()
