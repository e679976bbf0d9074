"""TCP sockets as inet_diag lists them (sock_diag(7)), with their timers and tcp_info; one dump for all of them.

A library reads one message at a time, which takes seconds for 50,000 sockets; here whole dumps are read in columns.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from analyzer.errors import UsageError
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import LIFELESS, OwnersOf, Socket, Timer, nobody
from analyzer.tables.arrays import Column, are_among
from analyzer.tcp import State

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSG = struct.Struct("=IHHII")  # linux/netlink.h: length, type, flags, sequence, port
ATTRIBUTE = struct.Struct("=HH")
# linux/inet_diag.h inet_diag_req_v2: family, protocol, extensions, padding, states; the address is left out.
REQUEST = struct.Struct("=BBBxI48x")
WITH_INFO = 1 << (2 - 1)  # INET_DIAG_INFO
ALL_STATES = 0xFFFFFFFF
AT_A_TIME = 1 << 18
TRIES = 3  # what changes while it is listed is listed again
# linux/inet_diag.h inet_diag_msg, behind the header.
MESSAGE = NLMSG.size
STATE, TIMER, RETRANS = MESSAGE + 1, MESSAGE + 2, MESSAGE + 3
SPORT, DPORT, SRC, DST = MESSAGE + 4, MESSAGE + 6, MESSAGE + 8, MESSAGE + 24
COOKIE, EXPIRES, RQUEUE, WQUEUE, UID, INODE = (MESSAGE + place for place in (44, 52, 56, 60, 64, 68))
ATTRIBUTES = MESSAGE + 72
INET_DIAG_INFO, INET_DIAG_CGROUP_ID = 2, 21
# linux/tcp.h tcp_info.
LAST_DATA_SENT, LAST_DATA_RECV, LAST_ACK_RECV, RTT, TOTAL_RETRANS = 44, 52, 56, 68, 100
INFO_NEEDED = TOTAL_RETRANS + 4
# include/net/tcp_states.h, from 1.
STATES = (
    State.UNKNOWN,
    State.ESTABLISHED,
    State.SYN_SENT,
    State.SYN_RECEIVED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.TIME_WAIT,
    State.CLOSED,
    State.CLOSE_WAIT,
    State.LAST_ACK,
    State.LISTEN,
    State.CLOSING,
    State.SYN_RECEIVED,  # TCP_NEW_SYN_RECV
    State.CLOSED,  # TCP_BOUND_INACTIVE
)
NO_CONNECTION = [number for number, state in enumerate(STATES) if state in LIFELESS]
# net/ipv4/inet_diag.c inet_sk_diag_fill.
TIMERS = (Timer.NONE, Timer.RETRANSMIT, Timer.KEEPALIVE, Timer.TIME_WAIT, Timer.PERSIST)
Octets = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
# Named tuples from tuples of the right length, without Python in between: a third of the time.
_as_socket: Callable[[Iterable[Any]], Socket] = partial(tuple.__new__, Socket)
_as_endpoint: Callable[[Iterable[Any]], Endpoint] = partial(tuple.__new__, Endpoint)
MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2


def read_sockets(netns: str = "", owners_of: OwnersOf = nobody) -> list[Socket]:
    """All TCP sockets of the network namespace of this thread, called `netns`; `owners_of` an inode is who holds it.

    Raises OSError where the kernel refuses, and UsageError where there is no sock_diag: see `host.procfs`.
    """
    if not hasattr(socket, "AF_NETLINK"):
        raise UsageError("sockets of this host can be listed on Linux alone")
    return [
        one
        for family in (socket.AF_INET, socket.AF_INET6)
        for one in _sockets(*_dump(family), family, netns, owners_of)
    ]


def _dump(family: int) -> tuple[bytes, Column]:
    """The messages about the sockets of one family, and where each begins and how long it is: (sockets, 2)."""
    for _ in range(TRIES):
        parts: list[bytes] = []
        places: list[tuple[int, int]] = []
        if _receive(family, parts, places):
            break
    return b"".join(parts), np.array(places, np.int64).reshape(-1, 2)


def _receive(family: int, parts: list[bytes], places: list[tuple[int, int]]) -> bool:
    """Ask for them, and take what comes; return whether none changed its place meanwhile."""
    whole, begun = True, 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        request = REQUEST.pack(family, socket.IPPROTO_TCP, WITH_INFO, ALL_STATES)
        flags = NLM_F_REQUEST | NLM_F_DUMP
        netlink.send(NLMSG.pack(NLMSG.size + len(request), SOCK_DIAG_BY_FAMILY, flags, 1, 0) + request)
        while True:
            part = netlink.recv(AT_A_TIME)
            parts.append(part)
            start = 0
            while start + NLMSG.size <= len(part):
                length, kind, flags, _, _ = NLMSG.unpack_from(part, start)
                whole = whole and not flags & NLM_F_DUMP_INTR
                if kind == SOCK_DIAG_BY_FAMILY:
                    places.append((begun + start, length))
                elif kind == NLMSG_DONE:
                    return whole
                elif kind == NLMSG_ERROR:
                    number = -struct.unpack_from("=i", part, start + NLMSG.size)[0]
                    raise OSError(number, os.strerror(number))
                start += max(length, NLMSG.size) + 3 & ~3
            begun += len(part)


def _sockets(dump: bytes, places: Column, family: int, netns: str, owners_of: OwnersOf) -> list[Socket]:
    """Messages of one length have their attributes at one place, nearly always: those that have are read at once."""
    octets = np.frombuffer(dump, np.uint8)
    found: list[Socket] = []
    while len(places):
        start, length = places[0].tolist()
        attributes = dict(_attributes(dump, start, length))
        alike = places[:, 1] == length
        for place in (value - ATTRIBUTE.size for value in attributes.values()):
            header = struct.unpack_from("=I", dump, start + place)[0]
            alike[alike] = _words(octets, places[alike, 0] + place, "=u4") == header
        found += _of_one_shape(octets, places[alike, 0], attributes, family, netns, owners_of)
        places = places[~alike]
    return found


def _attributes(dump: bytes, start: int, length: int) -> Iterator[tuple[int, int]]:
    """The type of each attribute of a message, and where its value begins, from the message's start."""
    place = ATTRIBUTES
    while place + ATTRIBUTE.size <= length:
        size, kind = ATTRIBUTE.unpack_from(dump, start + place)
        if size < ATTRIBUTE.size:
            return
        if kind != INET_DIAG_INFO or size >= ATTRIBUTE.size + INFO_NEEDED:
            yield kind, place + ATTRIBUTE.size
        place += size + 3 & ~3


def _words(octets: Octets, places: Column, kind: str) -> Column:
    """A number of this type at each of these places."""
    width = np.dtype(kind).itemsize
    words: Column = octets[places[:, None] + np.arange(width)].view(kind)[:, 0].astype(np.int64)
    return words


def _of_one_shape(
    octets: Octets, starts: Column, attributes: dict[int, int], family: int, netns: str, owners_of: OwnersOf
) -> Iterable[Socket]:
    """Sockets whose messages have these attributes, in columns."""
    states = _words(octets, starts + STATE, "=u1")
    # Of a listener, of TIME-WAIT and of what is no connection yet tcp_info has nothing, or something else.
    lives = ~are_among(states, NO_CONNECTION) if INET_DIAG_INFO in attributes else np.zeros(len(states), bool)
    info = starts + attributes.get(INET_DIAG_INFO, 0)
    timers = _words(octets, starts + TIMER, "=u1")

    def numbers(place: int, kind: str = "=u4") -> list[int]:
        return _listed(_words(octets, starts + place, kind))

    def known(place: int, per_second: int = 1) -> list[Any]:
        if not lives.any():
            return [None] * len(starts)
        values = _words(octets, info + place, "=u4")
        listed: list[Any] = (values / per_second if per_second > 1 else values).tolist()
        for dead in np.flatnonzero(~lives).tolist():
            listed[dead] = None
        return listed

    inodes = numbers(INODE)
    expires = _words(octets, starts + EXPIRES, "=u4")
    columns: tuple[Iterable[Any], ...] = (
        _ends(octets, starts, SRC, SPORT, family),
        _ends(octets, starts, DST, DPORT, family),
        [STATES[number] if number < len(STATES) else State.UNKNOWN for number in states.tolist()],
        [TIMERS[number] if number < len(TIMERS) else Timer.UNKNOWN for number in timers.tolist()],
        [left if timer else None for left, timer in zip((expires / 1000).tolist(), timers.tolist(), strict=True)],
        numbers(RETRANS, "=u1"),
        known(LAST_DATA_RECV, 1000),
        known(LAST_DATA_SENT, 1000),
        known(LAST_ACK_RECV, 1000),
        numbers(RQUEUE),
        numbers(WQUEUE),
        known(TOTAL_RETRANS),
        known(RTT, 1_000_000),
        numbers(UID),
        inodes,
        numbers(COOKIE, "=u8"),
        numbers(attributes[INET_DIAG_CGROUP_ID], "=u8") if INET_DIAG_CGROUP_ID in attributes else repeat(0),
    )
    return map(_as_socket, zip(*columns, repeat(netns), repeat(None), map(owners_of, inodes), strict=False))


def _ends(octets: Octets, starts: Column, place: int, port: int, family: int) -> Iterable[Endpoint]:
    width = 4 if family == socket.AF_INET else 16
    addresses = octets[(starts + place)[:, None] + np.arange(width)].tobytes()
    return map(
        _as_endpoint, zip(_texts(addresses, width, family), _listed(_words(octets, starts + port, ">u2")), strict=True)
    )


def _listed(values: Column) -> list[int]:
    numbers: list[int] = values.tolist()
    return numbers


def _texts(addresses: bytes, width: int, family: int) -> list[str]:
    """Addresses as text, those that IPv6 has mapped as IPv4's."""
    each = [addresses[start : start + width] for start in range(0, len(addresses), width)]
    known = {one: _text(one, family) for one in set(each)}
    return [known[one] for one in each]


def _text(address: bytes, family: int) -> str:
    if address[: len(MAPPED)] == MAPPED:
        return socket.inet_ntop(socket.AF_INET, address[-4:])
    return socket.inet_ntop(family, address)
