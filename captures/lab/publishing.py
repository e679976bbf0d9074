"""What becomes of a recording before it is published: other bytes for the same packets."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from network import run
from recorder import read_segments

PIECE_S = 6
ROUND_S = 0.5
NANOSECONDS = 0xA1B23C4D
# From seconds that can be waited for to the two hours of the default.
STRETCH = 75
MICRO = 1_000_000
FAR_END = "witness-server.pcap"
SECOND = "second"
KEY_LOG = "published.keys"
HEADER, RECORD = "IHHiIII", "IIII"


def join(parts: Sequence[Path], last: Path) -> None:
    """One recording of earlier parts and the last one, in the last one's place; nothing to do where it is whole."""
    if parts:
        whole = last.with_stem("whole")
        run("mergecap", "-a", "-F", last.suffix.removeprefix("."), "-w", str(whole), *map(str, parts), str(last))
        whole.rename(last)


def in_pieces(recording: Path, folder: Path) -> None:
    """Files of a few seconds each, as `dumpcap -b duration` and `tcpdump -G` leave them."""
    run("editcap", "-F", "pcap", "-i", str(PIECE_S), str(recording), str(recording.parent / "piece.pcap"))
    for number, piece in enumerate(sorted(recording.parent.glob("piece_*.pcap"))):
        (folder / f"capture.{number}.pcap").write_bytes(piece.read_bytes())


def cut(recording: Path, folder: Path, cuts: Sequence[float]) -> None:
    """Files that end anywhere: the cuts are shares of all packets."""
    count = int(run("capinfos", "-c", "-M", "-T", "-r", str(recording)).split()[-1])
    # No file is empty.
    ends = sorted({min(max(1, round(count * share)), count - 1) for share in cuts} | {count})
    kind = recording.suffix.removeprefix(".")
    first = 1
    for number, end in enumerate(ends):
        piece = folder / f"capture.{number}.{kind}"
        run("editcap", "-F", kind, "-r", str(recording), str(piece), f"{first}-{end}")
        first = end + 1


def by_rounds(recording: Path, folder: Path) -> None:
    """A file for each round of probes: a new one begins after half a second without a segment."""
    times = [(one.frame, one.time) for one in read_segments(recording)]
    begins = [frame for (_, before), (frame, time) in pairwise(times) if time - before > ROUND_S]
    count = int(run("capinfos", "-c", "-M", "-T", "-r", str(recording)).split()[-1])
    kind = recording.suffix.removeprefix(".")
    for number, (first, end) in enumerate(zip([1, *begins], [*begins, count + 1], strict=True)):
        piece = folder / f"capture.{number:02}.{kind}"
        run("editcap", "-F", kind, "-r", str(recording), str(piece), f"{first}-{end - 1}")


def with_second(recording: Path, folder: Path, apart: float) -> None:
    """Two files: what was recorded, and what was at the second place, whose clock is so many seconds ahead."""
    kind = recording.suffix.removeprefix(".")
    (folder / f"capture.0.{kind}").write_bytes(recording.read_bytes())
    second = recording.with_stem(SECOND)
    run("editcap", "-F", kind, "-t", f"{apart:.6f}", str(second), str(folder / f"capture.1.{kind}"))


def big_endian(recording: Path, folder: Path) -> None:
    """The other byte order, as a big-endian machine would have written it."""
    octets = recording.read_bytes()
    size, at = struct.calcsize(HEADER), struct.calcsize(HEADER)
    header = struct.unpack("<" + HEADER, octets[:size])
    if header[0] != NANOSECONDS:
        raise ValueError("not a nanosecond pcap in little-endian order")
    turned = [struct.pack(">" + HEADER, *header)]
    while at < len(octets):
        record = struct.unpack_from("<" + RECORD, octets, at)
        end = at + struct.calcsize(RECORD) + record[2]
        turned += [struct.pack(">" + RECORD, *record), octets[at + struct.calcsize(RECORD) : end]]
        at = end
    (folder / "capture.pcap").write_bytes(b"".join(turned))


def stretched(recording: Path, folder: Path) -> None:
    """The same packets, each STRETCH times as long after the first one."""
    octets = bytearray(recording.read_bytes())
    at, first = struct.calcsize(HEADER), None
    while at < len(octets):
        seconds, fraction, captured, _ = struct.unpack_from("<" + RECORD, octets, at)
        time = seconds * MICRO + fraction
        first = time if first is None else first
        struct.pack_into("<II", octets, at, *divmod(first + STRETCH * (time - first), MICRO))
        at += struct.calcsize(RECORD) + captured
    (folder / recording.name).write_bytes(octets)


def with_far_end(recording: Path, folder: Path) -> None:
    """Two files: what the client recorded, and what the server did, on any interface."""
    (folder / "capture.client.pcap").write_bytes(recording.read_bytes())
    (folder / "capture.server.pcap").write_bytes((recording.parent / FAR_END).read_bytes())


def merged_with_far_end(recording: Path, folder: Path) -> None:
    """One file of what the client and the server recorded, in order of time."""
    run("mergecap", "-w", str(folder / "capture.pcapng"), str(recording), str(recording.parent / FAR_END))


def with_secrets(recording: Path, folder: Path) -> None:
    """The secrets of its TLS connections in it, as far as the play has left them beside it."""
    secrets = f"tls,{recording.parent / KEY_LOG}"
    run("editcap", "-F", "pcapng", "--inject-secrets", secrets, str(recording), str(folder / "capture.pcapng"))
