"""scapy as a capturer, for where there is no tcpdump: a program that is called, writes, complains and ends as tcpdump.

It hands on what it receives as a stream of pcap, and gives up its rights as soon as its socket is open.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
from typing import Any

from analyzer.capture.interface.processes import STATISTICS
from analyzer.capture.interface.rights import give_up_rights
from analyzer.capture.interface.tcpdump import SNAPLEN, capture_filter
from analyzer.errors import CaptureError
from analyzer.wire import PCAP_MICROSECONDS

LOOPBACK = "lo"
LONGEST = 1 << 16
RECEIVE_BUFFER = 8 << 20  # as much as the kernel allows of it (net.core.rmem_max)
MICRO = 1_000_000
# packet(7): how many packets the kernel has handed over, and dropped for want of room, since it was last asked.
SOL_PACKET, PACKET_STATISTICS = 263, 6
END, ASK = b"x", b"?"
_dropped: list[int] = []
WITH_VLAN, WITHOUT_VLAN = "vlan", "no-vlan"


def command(interface: str, wanted: str | None, *, vlan: bool) -> list[str]:
    """How it is called; as `tcpdump.command`. With -P nothing is imported from the directory it is called in."""
    tags = WITH_VLAN if vlan else WITHOUT_VLAN
    return [sys.executable, "-P", "-m", __name__, interface, tags, *([] if wanted is None else [wanted])]


def main() -> None:
    """Capture until SIGINT, or until that is not possible any more; then say why, and what was dropped."""
    interface, tags, *wanted = sys.argv[1:]
    told, tell = os.pipe()
    signal.signal(signal.SIGINT, lambda number, frame: os.write(tell, END))
    signal.signal(STATISTICS, lambda number, frame: os.write(tell, ASK))
    complaint = ""
    try:
        listening, link_type = _open(interface, wanted[0] if wanted else None, vlan=tags == WITH_VLAN)
    except CaptureError as error:
        sys.exit(error.reason)
    with contextlib.suppress(OSError):  # who has a process of ours start this one is told as it does so itself
        give_up_rights()
    output = sys.stdout.fileno()
    try:
        os.write(output, struct.pack("<IHHiIII", PCAP_MICROSECONDS, 2, 4, 0, 0, SNAPLEN, link_type))
        _hand_on(listening, output, told)
    except BrokenPipeError:  # nobody reads it any more
        pass
    except OSError as error:
        complaint = f"scapy: {error.strerror or error}"
    _say_drops(listening)
    sys.exit(complaint or 0)


def _open(interface: str, wanted: str | None, *, vlan: bool) -> tuple[Any, int]:
    """A socket of scapy's, and the link type of what it receives.

    Raises CaptureError when this interface cannot be captured on, or the filter not be compiled.
    """
    import scapy.arch  # the sockets of this system
    import scapy.layers.l2  # and what runs over them  # noqa: F401
    from scapy.config import conf
    from scapy.error import Scapy_Exception

    # The kernel shows on the loopback interface each packet twice, as it leaves and as it arrives; the one kind of
    # socket shows both, the other what arrives.
    make: Any = conf.L2socket if interface == LOOPBACK else conf.L2listen
    try:
        listening = make(iface=interface, filter=_for_the_kernel(wanted, vlan=vlan))
        listening.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    except (OSError, ValueError, Scapy_Exception) as error:
        raise CaptureError(f"scapy cannot capture: {' '.join(str(error).split())}", path=interface) from error
    return listening, conf.l2types.layer2num[listening.LL]


def _say_drops(listening: Any) -> None:
    """How many packets the kernel had no room for, from the beginning: it tells how many since it was last asked."""
    with contextlib.suppress(OSError, AttributeError):
        _, dropped = struct.unpack("II", listening.ins.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        _dropped.append(dropped)
        sys.stderr.write(f"{sum(_dropped)} packets dropped by kernel\n")
        sys.stderr.flush()


def _hand_on(listening: Any, output: int, told: int) -> None:
    """Write one record after the other, each whole: a pipe takes so little at once, or nothing of it."""
    while True:
        ready, _, _ = select.select([listening.ins, told], [], [])
        if told in ready:
            if END in os.read(told, LONGEST):
                return
            _say_drops(listening)
            continue
        _, octets, moment = listening.recv_raw(LONGEST)
        if octets:
            second, microsecond = divmod(round(moment * MICRO), MICRO)
            captured = octets[:SNAPLEN]
            os.write(output, struct.pack("<IIII", second, microsecond, len(captured), len(octets)) + captured)


def _for_the_kernel(wanted: str | None, *, vlan: bool) -> str | None:
    """The filter, where libpcap is there to compile it; else what nobody asked for is passed over as it is decoded."""
    try:
        from scapy.libs import winpcapy  # noqa: F401 - what scapy compiles with
    except OSError as error:
        if wanted is not None:
            raise CaptureError("a filter needs libpcap, which is not there") from error
        return None
    return capture_filter(wanted, vlan=vlan)


if __name__ == "__main__":
    main()
