"""What becomes of a recording before it is published: other octets for the same packets."""

import struct
from pathlib import Path

from network import run

PIECE_S = 6
NANOSECONDS = 0xA1B23C4D
HEADER, RECORD = "IHHiIII", "IIII"


def in_pieces(recording: Path, folder: Path) -> None:
    """Files of a few seconds each, as `dumpcap -b duration` and `tcpdump -G` leave them."""
    run("editcap", "-F", "pcap", "-i", str(PIECE_S), str(recording), str(recording.parent / "piece.pcap"))
    for number, piece in enumerate(sorted(recording.parent.glob("piece_*.pcap"))):
        (folder / f"capture.{number}.pcap").write_bytes(piece.read_bytes())


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
