"""Recording packets with tcpdump or dumpcap, and reading them back as tcpdump prints them."""

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from network import Namespace, run

READY_WITHIN_S = 20.0
SAME_PACKET_S = 0.005


@dataclass
class Recorder:
    """One running capture program."""

    namespace: Namespace
    interface: str
    path: Path
    options: Sequence[str] = ()
    program: str = "tcpdump"
    log: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    told: bool = False

    def command(self) -> list[str]:
        """The command line."""
        if self.program == "dumpcap":
            return ["dumpcap", "-q", "-i", self.interface, *self.options, "-w", str(self.path)]
        return ["tcpdump", "-n", "-U", "-Z", "root", "--immediate-mode", "-i", self.interface,
                *self.options, "-w", str(self.path)]  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it sees packets."""
        self.log = Path(tempfile.mkstemp(prefix="capture-", dir=self.path.parent)[1])
        with self.log.open("wb") as output:
            self.process = self.namespace.start(self.command(), output)
        deadline = time.monotonic() + READY_WITHIN_S
        ready = "File:" if self.program == "dumpcap" else "listening on"
        while ready not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.program}: {self.log.read_text().strip()}")
            time.sleep(0.02)

    def end(self) -> None:
        """Tell it to stop, and do not wait."""
        if self.process is not None and not self.told:
            self.process.send_signal(signal.SIGINT)
            self.told = True

    def stop(self) -> None:
        """Stop it and see that it lost nothing."""
        if self.process is None:
            return
        self.end()
        self.process.wait(timeout=READY_WITHIN_S)
        self.process, self.told = None, False
        report = self.log.read_text()
        self.log.unlink()
        lost = re.search(r"(\d+) packets? dropped by kernel|dropped on interface.*: \d+/(\d+)", report)
        if lost and int(lost[1] or lost[2]):
            raise RuntimeError(f"{self.program} lost packets: {report.strip()}")


@dataclass(frozen=True)
class Segment:
    """One TCP segment, or one ICMP error (no flags), as tcpdump prints it."""

    frame: int
    time: float
    source: tuple[str, int]
    destination: tuple[str, int]
    flags: str
    seq: int | None = None
    ack: int | None = None
    window: int | None = None
    length: int = 0

    @property
    def is_icmp(self) -> bool:
        """Whether this is an ICMP or ICMPv6 message."""
        return not self.flags

    @property
    def is_rst(self) -> bool:
        """Whether it resets."""
        return "R" in self.flags

    @property
    def opens(self) -> bool:
        """Whether it is the first segment of a handshake."""
        return "S" in self.flags and self.ack is None

    def same_packet(self, other: "Segment") -> bool:
        """Whether both are sightings of one packet, at two places or twice at one."""
        return (self.source, self.destination, self.flags, self.seq, self.ack, self.length) == (
            other.source, other.destination, other.flags, other.seq, other.ack, other.length)  # fmt: skip


_HEAD = re.compile(r"^\s*(\d+)\s+(\d+\.\d+) ")
_TCP = re.compile(
    r"(\S+)\.(\d+) > (\S+)\.(\d+): Flags \[([^\]]+)\](?:, cksum [^,]+)?"
    r"(?:, seq (\d+)(?::\d+)?)?(?:, ack (\d+))?(?:, win (\d+))?.*?(?:, length (\d+)|$)"
)
_ICMP = re.compile(r"(\S+) > (\S+): (?:\[[^\]]*\] )?ICMP6?,? [^,]*(?:unreachable|exceeded)")


def read_segments(path: Path) -> list[Segment]:
    """The segments of a recording, in the words of `tcpdump -r`."""
    text = run("tcpdump", "-r", str(path), "-nn", "-S", "-tt", "-vv", "-#")
    # With -vv the lines of IPv4 packets are broken in two; without it pure ACKs have no sequence number.
    joined = re.sub(r"\n(?!\s*\d+\s+\d+\.\d+ )", " ", text)
    segments = []
    for line in joined.splitlines():
        segment = _parse(line)
        if segment:
            segments.append(segment)
    return segments


def _parse(line: str) -> Segment | None:
    head = _HEAD.match(line)
    if not head:
        return None
    frame, when = int(head[1]), float(head[2])
    icmp = _ICMP.search(line)
    if icmp:
        return Segment(frame, when, (icmp[1], 0), (icmp[2], 0), "")
    tcp = _TCP.search(line)
    if not tcp:
        return None
    source, sport, destination, dport, flags, seq, ack, window, length = tcp.groups()
    return Segment(
        frame, when, (source, int(sport)), (destination, int(dport)), flags,
        _number(seq), _number(ack), _number(window), int(length or 0),
    )  # fmt: skip


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def without_repeats(segments: Sequence[Segment], within_s: float = SAME_PACKET_S) -> list[Segment]:
    """One sighting of each packet: `-i any` on a router shows it coming and going."""
    kept: list[Segment] = []
    for segment in segments:
        recent = (old for old in reversed(kept[-20:]) if segment.time - old.time < within_s)
        if segment.is_icmp or not any(old.same_packet(segment) for old in recent):
            kept.append(segment)
    return kept
