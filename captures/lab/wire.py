"""What the router's kernel cannot do, done by a thread in its place: a slow path, and a mirror port with VLAN tags."""

import contextlib
import heapq
import ipaddress
import itertools
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from stage import Stage

ETH_P_ALL = 3  # linux/if_ether.h
SYN, SYN_ACK = 0x02, 0x12
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
DEVICES = ("rc", "rs")
# Whom the router sends to on each of its links, and as whom (network.py).
MACS = {
    "rc": bytes.fromhex("02000000000c02000000010c"),
    "rs": bytes.fromhex("020000000005020000000105"),
}
MIRROR, MIRROR_TAP = "m0", "m1"
LONGEST_FRAME = 1 << 16
POLL_S = 0.2


Lose = Callable[[bytes], bool]
# How many seconds later than itself a frame's copy follows; None: there is none.
Copy = Callable[[bytes], float | None]


def first_syn(source: str, port: int | None = None) -> Lose:
    """Whether a frame is the first that this address opens a connection with (one that has this port at an end)."""
    seen: list[bytes] = []

    def lose(frame: bytes) -> bool:
        packet = frame[14:]
        six = packet[0] >> 4 == 6
        kind, start = (packet[6], 40) if six else (packet[9], (packet[0] & 15) * 4)
        sender = packet[8:24] if six else packet[12:16]
        if seen or kind != socket.IPPROTO_TCP or packet[start + 13] & SYN_ACK != SYN:
            return False
        if sender != ipaddress.ip_address(source).packed:
            return False
        if port is not None and port not in struct.unpack_from("!HH", packet, start):
            return False
        seen.append(frame)
        return True

    return lose


def by_port(late: Mapping[int, float]) -> Copy:
    """Copies of what is sent to these TCP ports, each so many seconds late."""

    def copy(frame: bytes) -> float | None:
        packet = frame[14:]
        start = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
        _, port = struct.unpack_from("!HH", packet, start)
        return late.get(port)

    return copy


def slow_down(stage: Stage, one_way_s: float, lose: Lose | None = None, copy: Copy | None = None) -> None:
    """Let every packet take so long through the router from now on: forwarded by hand, each in its turn, or lost.

    A packet of which there are to be copies is sent again so many seconds later.
    """
    router = stage.network.hosts["router"]
    router.sysctl(ipv4__ip_forward=0, ipv6__conf__all__forwarding=0)
    stage.one_way_s = one_way_s
    stage.note(f"A program on the router forwarded the packets, each {one_way_s:g} s after it came.")
    ports = dict(zip(DEVICES, _open(stage, DEVICES), strict=True))
    _start(_carry, stage, ports, one_way_s, lose, copy)


def mirror(stage: Stage, tags: Sequence[tuple[int, int]]) -> None:
    """Copy what passes the router's link to the client to a mirror port, with these (TPID, VID) tags in front."""
    router = stage.network.hosts["router"]
    router.run("ip", "link", "add", MIRROR, "type", "veth", "peer", "name", MIRROR_TAP)
    for device in (MIRROR, MIRROR_TAP):
        router.sysctl(**{f"ipv6__conf__{device}__disable_ipv6": 1})
        router.run("ip", "link", "set", device, "mtu", "1600", "up")
    inserted = b"".join(struct.pack("!HH", tpid, vid) for tpid, vid in tags)
    _start(_copy, stage, *_open(stage, ("rc", MIRROR)), inserted)


def _open(stage: Stage, devices: Sequence[str]) -> list[socket.socket]:
    found = []
    for device in devices:
        with stage.network.hosts["router"].entered():
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        port.bind((device, ETH_P_ALL))
        found.append(port)
    return found


def _start(work: Callable[..., None], *arguments: object) -> None:
    def until_taken_down() -> None:
        with contextlib.suppress(OSError):  # the devices go before the stage says so
            work(*arguments)

    threading.Thread(target=until_taken_down, daemon=True).start()


def _carry(
    stage: Stage, ports: dict[str, socket.socket], one_way_s: float, lose: Lose | None, copy: Copy | None
) -> None:
    """Forward IP packets late, until the stage is taken down."""
    order = itertools.count()
    waiting: list[tuple[float, int, str, bytes]] = []
    while not stage.closed.is_set():
        until = waiting[0][0] - time.monotonic() if waiting else POLL_S
        ready, _, _ = select.select(list(ports.values()), [], [], min(max(until, 0), POLL_S))
        for device, other in (DEVICES, DEVICES[::-1]):
            if ports[device] in ready:
                frame, (_, _, kind, *_) = ports[device].recvfrom(LONGEST_FRAME)
                forwarded = _forwarded(frame, other) if kind == socket.PACKET_HOST else None
                if forwarded is not None and lose is not None and lose(frame):
                    stage.lost_by_hand += 1
                elif forwarded is not None:
                    due, late = time.monotonic() + one_way_s, copy(frame) if copy is not None else None
                    for at in [due] if late is None else [due, due + late]:
                        heapq.heappush(waiting, (at, next(order), other, forwarded))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, device, frame = heapq.heappop(waiting)
            ports[device].send(frame)


def _forwarded(frame: bytes, device: str) -> bytes | None:
    """A frame as a router sends it on: new addresses, one hop less; None for what is no business of the hosts."""
    packet = bytearray(frame[14:])
    kind = int.from_bytes(frame[12:14], "big")
    if kind == ETHERTYPE[4]:
        packet[8] -= 1
        checksum = int.from_bytes(packet[10:12], "big") + 0x0100  # RFC 1141
        packet[10:12] = ((checksum & 0xFFFF) + (checksum >> 16)).to_bytes(2, "big")
    elif kind == ETHERTYPE[6] and packet[24] >> 4 == 2:  # neither link-local nor multicast
        packet[7] -= 1
    else:
        return None
    return MACS[device] + frame[12:14] + bytes(packet)


def _copy(stage: Stage, tapped: socket.socket, port: socket.socket, inserted: bytes) -> None:
    """Send each frame to the mirror port, tagged, until the stage is taken down."""
    while not stage.closed.is_set():
        if select.select([tapped], [], [], POLL_S)[0]:
            frame = tapped.recv(LONGEST_FRAME)
            port.send(frame[:12] + inserted + frame[12:])
