"""What the kernel itself says: its counters, its socket table and its build."""

import gzip
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from network import Namespace

COUNTERS = ("TCPKeepAlive", "TCPWinProbe", "TCPAbortOnTimeout")
# ss abbreviates two of the names of RFC 9293.
RFC_9293_NAMES = {"ESTAB": "ESTABLISHED", "SYN-RECV": "SYN-RECEIVED"}


@dataclass(frozen=True)
class SocketRow:
    """One line of the kernel's socket table."""

    state: str
    local: tuple[str, int]
    peer: tuple[str, int]


def read_counters(namespace: Namespace) -> dict[str, int]:
    """The TCP extension counters of one namespace."""
    with namespace.entered():
        lines = Path("/proc/thread-self/net/netstat").read_text().splitlines()
    names, values = (line.split()[1:] for line in lines[:2])
    table = dict(zip(names, values, strict=True))
    return {name: int(table[name]) for name in COUNTERS}


def read_sockets(namespace: Namespace) -> list[SocketRow]:
    """The TCP sockets of one namespace with their states, those without a peer left out."""
    rows = []
    for line in namespace.run("ss", "-tnoieaH").splitlines():
        if line[:1].isspace() or line.startswith("LISTEN"):
            continue
        state, _, _, local, peer = line.split()[:5]
        if peer.endswith(":*"):
            continue
        rows.append(SocketRow(RFC_9293_NAMES.get(state, state), _endpoint(local), _endpoint(peer)))
    return rows


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    # A socket bound to a device reads address%device.
    return address.strip("[]").split("%")[0].removeprefix("::ffff:"), int(port)


def release() -> str:
    """The version of the running kernel."""
    return platform.release()


def timer_hz() -> int | None:
    """The tick rate the kernel was built with, where it tells."""
    try:
        text = gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    except OSError:
        return None
    found = re.search(r"^CONFIG_HZ=(\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None
