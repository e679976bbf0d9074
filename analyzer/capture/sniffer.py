"""scapy as a capturer, for where there is no tcpdump: what it receives is handed on as a stream of pcap."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
from typing import Any

from analyzer.capture.tcpdump import SNAPLEN, capture_filter
from analyzer.errors import CaptureError
from analyzer.wire import PCAP_MICROSECONDS

LOOPBACK = "lo"
LONGEST = 1 << 16
RECEIVE_BUFFER = 8 << 20  # as much as the kernel allows of it (net.core.rmem_max)
MICRO = 1_000_000
# packet(7): how many packets the kernel has handed over, and dropped for want of room, since it was last asked.
SOL_PACKET, PACKET_STATISTICS = 263, 6


class Sniffer:
    """scapy at work on one interface; `output` is its stream of pcap."""

    def __init__(self, interface: str, wanted: str | None = None, *, vlan: bool = True) -> None:
        """Start it; as `tcpdump.Tcpdump`.

        Raises CaptureError when this interface cannot be captured on, or the filter not be compiled."""
        import scapy.arch  # the sockets of this system
        import scapy.layers.l2  # and what runs over them  # noqa: F401
        from scapy.config import conf
        from scapy.error import Scapy_Exception

        self.interface = interface
        self.dropped = 0
        self.complaint = "scapy captures no more"
        self._socket: Any
        # The kernel shows on the loopback interface each packet twice, as it leaves and as it arrives; the one kind of
        # socket shows both, the other what arrives.
        make = conf.L2socket if interface == LOOPBACK else conf.L2listen
        try:
            self._socket = make(iface=interface, filter=_for_the_kernel(wanted, vlan=vlan))
            self._socket.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        except (OSError, ValueError, Scapy_Exception) as error:
            raise CaptureError(f"scapy cannot capture: {error}", path=interface) from error
        reading, self._writing = os.pipe()
        self._ending, self._end = os.pipe()
        self.output: Any = os.fdopen(reading, "rb", buffering=0)
        link_type = conf.l2types.layer2num[self._socket.LL]
        os.write(self._writing, struct.pack("<IHHiIII", PCAP_MICROSECONDS, 2, 4, 0, 0, SNAPLEN, link_type))
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def stop(self) -> None:
        """Have it end: its output ends, too."""
        with contextlib.suppress(OSError):
            os.write(self._end, b"x")

    def close(self) -> None:
        """Wait for its end, which does not take long."""
        self.stop()
        self.output.close()
        self._worker.join()
        for descriptor in (self._ending, self._end):
            os.close(descriptor)

    def _work(self) -> None:
        try:
            while True:
                ready, _, _ = select.select([self._socket.ins, self._ending], [], [])
                if self._ending in ready:
                    return
                _, octets, moment = self._socket.recv_raw(LONGEST)
                if octets:
                    self._hand_on(octets, moment)
        except BrokenPipeError:  # nobody reads it any more
            return
        except OSError as error:
            self.complaint = f"scapy: {error.strerror or error}"
        finally:
            self._note_drops()
            self._socket.close()
            os.close(self._writing)

    def _hand_on(self, octets: bytes, moment: float) -> None:
        """One record, whole: a pipe takes so little at once, or nothing of it."""
        second, microsecond = divmod(round(moment * MICRO), MICRO)
        captured = octets[:SNAPLEN]
        os.write(self._writing, struct.pack("<IIII", second, microsecond, len(captured), len(octets)) + captured)

    def _note_drops(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            _, self.dropped = struct.unpack("II", self._socket.ins.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))


def _for_the_kernel(wanted: str | None, *, vlan: bool) -> str | None:
    """The filter, where libpcap is there to compile it; else what nobody asked for is passed over as it is decoded."""
    try:
        from scapy.libs import winpcapy  # noqa: F401 - what scapy compiles with
    except OSError as error:
        if wanted is not None:
            raise CaptureError("a filter needs libpcap, which is not there") from error
        return None
    return capture_filter(wanted, vlan=vlan)


def interfaces() -> list[str]:
    """The names of this host's interfaces, as scapy lists them."""
    from scapy.interfaces import get_if_list

    return list(get_if_list())
