"""A stream of packets as a busy host sees it for long: many short connections over some that stay idle for days."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

SYN, FIN, RST, ACK = 0x02, 0x01, 0x04, 0x10
CLIENT, SERVER = 0, 1
RTT_NS = 200_000
SECOND = 1_000_000_000
START = 1_700_000_000
IDLE, INTERVAL, PROBES = 60, 10, 5
SERVED, HTTPS = 0xC0A80001, 443  # 192.168.0.1
SHORT_FROM, LONG_FROM, PORT_FROM, PORTS = 0x0A000000, 0xAC100000, 20_000, 32
# When, who sends, sequence and acknowledgement numbers relative to the sender's and its peer's first, flags.
SHORT = (
    (0, CLIENT, 0, 0, SYN),
    (1, SERVER, 0, 1, SYN | ACK),
    (2, CLIENT, 1, 1, FIN | ACK),
    (3, SERVER, 1, 2, FIN | ACK),
    (4, CLIENT, 2, 2, ACK),
)
OPENING = ((0, CLIENT, 0, 0, SYN), (1, SERVER, 0, 1, SYN | ACK), (2, CLIENT, 1, 1, ACK))
ANSWERED = ((0, CLIENT, 0, 1, ACK), (1, SERVER, 1, 1, ACK))
UNANSWERED = ((0, CLIENT, 0, 1, ACK),)
GIVEN_UP = ((0, CLIENT, 1, 1, RST | ACK),)
RECORD = np.dtype(
    [
        ("time", "<u4", 2),
        ("captured", "<u4", 2),
        ("ethernet", "u1", 12),
        ("type", ">u2"),
        ("version", ">u2"),
        ("length", ">u2"),
        ("id", ">u4"),
        ("ttl", "u1"),
        ("protocol", "u1"),
        ("checksum", ">u2"),
        ("addresses", ">u4", 2),
        ("ports", ">u2", 2),
        ("numbers", ">u4", 2),
        ("offset", "u1"),
        ("flags", "u1"),
        ("window", ">u2", 3),
    ]
)
HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
FRAME = 54


class Soak(NamedTuple):
    """So many short connections in each of so many seconds, over `long` ones of which `dying` lose their peers."""

    seconds: int = 1000
    short_each: int = 2000
    long: int = 1000
    dying: int = 10

    @property
    def short(self) -> int:
        """Short connections in all."""
        return self.seconds * self.short_each

    def dies(self, number: int) -> int:
        """The second after which this one's peer is silent; the end where it is not."""
        if number >= self.dying:
            return self.seconds
        return (number + 1) * (self.seconds - IDLE - INTERVAL * (PROBES + 1)) // (self.dying + 1)

    def octets(self) -> Iterator[bytes]:
        """The header of a pcap file, then each second's packets."""
        yield HEADER
        for second in range(self.seconds):
            yield self._second(second)

    @property
    def packets(self) -> int:
        """Packets in all."""
        answered, unanswered = self.probes()
        long = self.long * len(OPENING) + answered * len(ANSWERED) + unanswered + self.dying
        return self.short * len(SHORT) + long

    def probes(self) -> tuple[int, int]:
        """How many probes are answered, how many are not."""
        answered = sum(len(self.rounds(number)) for number in range(self.long))
        return answered, self.dying * PROBES

    def rounds(self, number: int) -> range:
        """The seconds in which it probes and is answered."""
        return range(self._first(number), self.dies(number), IDLE)

    def _first(self, number: int) -> int:
        """The second of its first probe."""
        return IDLE + number % IDLE

    def _second(self, second: int) -> bytes:
        talks = [_talk(second, np.arange(self.short_each) + second * self.short_each, SHORT, SHORT_FROM, HTTPS)]
        for story, numbers in self._long(second).items():
            talks.append(_talk(second, np.array(numbers), story, LONG_FROM, 5432))
        # As bytes: joining structured arrays would put their numbers into this machine's order.
        rows = np.concatenate([talk.view(f"V{RECORD.itemsize}") for talk in talks]).view(RECORD)
        order = np.argsort(rows["time"][:, 1], kind="stable")
        return rows[order].tobytes()

    def _long(self, second: int) -> dict[tuple[tuple[int, ...], ...], list[int]]:
        """What happens in this second, and to which of the long ones."""
        if second == 0:
            return {OPENING: list(range(self.long))}
        stories: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for number in range(self.long):
            story = self._story(number, second)
            if story is not None:
                stories.setdefault(story, []).append(number)
        return stories

    def _story(self, number: int, second: int) -> tuple[tuple[int, ...], ...] | None:
        rounds = self.rounds(number)
        if second in rounds:
            return ANSWERED
        if number >= self.dying or second < rounds.stop:
            return None
        missed, left = divmod(second - (self._first(number) + len(rounds) * IDLE), INTERVAL)
        if left or not 0 <= missed <= PROBES:
            return None
        return UNANSWERED if missed < PROBES else GIVEN_UP


def _talk(second: int, numbers: np.ndarray, story: tuple[tuple[int, ...], ...], address: int, port: int) -> np.ndarray:
    """The packets of one story, of connections with these numbers."""
    rows = np.zeros((len(numbers), len(story)), RECORD)
    begin = (numbers * 7919 % 900_000) * 1000  # at some odd moment of the second
    client, client_port = address + numbers // PORTS, PORT_FROM + numbers % PORTS
    for place, (turn, sender, seq, ack, flags) in enumerate(story):
        row = rows[:, place]
        row["time"][:, 0], row["time"][:, 1] = START + second, begin + turn * RTT_NS
        ends = (client, np.full_like(client, SERVED)), (client_port, np.full_like(client_port, port))
        for field, (near, far) in zip(("addresses", "ports"), ends, strict=True):
            row[field][:, sender], row[field][:, 1 - sender] = near, far
        starts = numbers * 1000, numbers * 1000 + 500
        row["numbers"][:, 0] = starts[sender] + seq
        row["numbers"][:, 1] = starts[1 - sender] + ack if flags & ACK else 0
        row["flags"] = flags
    rows["captured"] = FRAME
    rows["type"], rows["version"], rows["length"] = 0x0800, 0x4500, FRAME - 14
    rows["ttl"], rows["protocol"], rows["offset"] = 64, 6, 0x50
    rows["window"][:, :, 0] = 1000
    return rows.reshape(-1)


if __name__ == "__main__":  # its numbers in their order, and the packets go to standard output
    for octets in Soak(*map(int, sys.argv[1:])).octets():
        sys.stdout.buffer.write(octets)
