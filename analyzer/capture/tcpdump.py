"""tcpdump as a child process: it captures on an interface, with its own rights, and hands on a stream of pcap."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import threading
from typing import IO, Any

from analyzer.backend import PROGRAM
from analyzer.errors import CaptureError
from analyzer.wire import PORT_CAPWAP_DATA, PORT_GENEVE, PORT_GTP_U, PORT_VXLAN, PORT_VXLAN_LINUX

# Ethernet, two VLAN tags, an outer IPv6, UDP and VXLAN header, IPv6 and TCP with all their options, and the payload
# that heartbeats are known by.
SNAPLEN = 384
_TUNNEL_PORTS = (PORT_GTP_U, PORT_VXLAN, PORT_CAPWAP_DATA, PORT_GENEVE, PORT_VXLAN_LINUX)
# TCP; the ICMP errors that quote it; what carries it: IP in IP, GRE, AH, IPv6 extension headers, UDP tunnels.
_WANTED = (
    "tcp or icmp or icmp6 or ip proto 4 or ip proto 41 or proto 47 or proto 51 or ip6 proto 0 or ip6 proto 43 "
    "or ip6 proto 44 or ip6 proto 60 or " + " or ".join(f"udp port {port}" for port in _TUNNEL_PORTS)
)
_DROPPED = re.compile(r"^(\d+) packets? dropped by kernel", re.MULTILINE)
_KEPT_ERRORS = 20


class Tcpdump:
    """One tcpdump at work; `output` is its stream of pcap."""

    def __init__(self, interface: str, wanted: str | None = None, *, vlan: bool = True) -> None:
        """Start it; without `vlan` frames with VLAN tags are not asked for, which some link types do not know.

        Raises CaptureError when there is no tcpdump.
        """
        command = [PROGRAM, "-i", interface, "-U", "--immediate-mode", "--nano", "-s", str(SNAPLEN), "-n", "-w", "-"]
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [*command, capture_filter(wanted, vlan=vlan)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # an interrupt from the keyboard is for us: it is told to end when we have read
            )
        except OSError as error:
            raise CaptureError(f"tcpdump cannot be started: {error.strerror}", path=interface) from error
        self.output: Any = self._process.stdout  # what it captures
        self.interface = interface
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def dropped(self) -> int:
        """How many packets the kernel dropped for want of room, as it said last."""
        found = _DROPPED.findall("\n".join(self._said))
        return int(found[-1]) if found else 0

    @property
    def complaint(self) -> str:
        """What it said last that was no statistics: why it ended, where it ended by itself."""
        lines = [line for line in self._said if line and not line[0].isdigit() and "listening on" not in line]
        return lines[-1].removeprefix("tcpdump: ") if lines else f"tcpdump ended with status {self._process.poll()}"

    def stop(self) -> None:
        """Have it end: it writes what it has, says its statistics, and closes its output."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Wait for its end, which does not take long, or bring it about."""
        self.stop()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=1)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _listen(self) -> None:
        errors: IO[bytes] | None = self._process.stderr
        assert errors is not None
        for line in errors:
            self._said.append(line.decode(errors="replace").strip())
            del self._said[:-_KEPT_ERRORS]


def capture_filter(wanted: str | None, *, vlan: bool = True) -> str:
    """The filter for the kernel: what this program can read and, with `wanted`, of that only what fits it, too.

    A `vlan` in a filter moves every offset behind it, hence the two halves (pcap-filter(7)).
    """
    inner = f"({_WANTED})" if wanted is None else f"(({_WANTED}) and ({wanted}))"
    return f"{inner} or (vlan and {inner})" if vlan else inner


def interfaces() -> list[str]:
    """The names of this host's interfaces, as tcpdump lists them; none where it cannot."""
    try:
        listed = subprocess.run([PROGRAM, "-D"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.partition(".")[2].split()[0] for line in listed.splitlines() if "." in line]
