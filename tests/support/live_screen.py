"""The screen of `keepalive live` in the middle of a recording: a pcap, how many seconds of it, columns x lines."""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

from captures_in_bytes import boundaries
from living import IDLE_AFTER, MANY, File

from analyzer.kernels import plain
from analyzer.live.outlook import look_ahead
from analyzer.live.session import Live
from analyzer.model.events import Event
from analyzer.report.screen import NARROW, Message, Shown, compose
from analyzer.report.view import View


def beginning(octets: bytes, seconds: int) -> bytes:
    """The packets of the first seconds, by whole seconds of their times."""
    starts = boundaries(octets)[:-1]
    times = [int(struct.unpack_from("<I", octets, start)[0]) for start in starts]
    later = [start for start, time in zip(starts, times, strict=True) if time >= times[0] + seconds]
    return octets[: min(later, default=len(octets))]


def picture(octets: bytes, width: int, height: int) -> str:
    """The screen as it stands at the last packet."""
    told: list[Event] = []
    live = Live(plain(), idle_after=IDLE_AFTER, notify=lambda text: None, most=MANY)
    live.listeners.append(told.extend)
    with tempfile.NamedTemporaryFile() as file:
        file.write(octets)
        file.flush()
        live.intake.read("eth0", File(Path(file.name)))
        live.run()
    analysis, numbers = live.present()
    messages = [Message.of(event, live, utc=True, wide=width >= NARROW) for event in told]
    facts = live.captures[0]
    assert facts.first_time is not None and facts.last_time is not None
    rate = facts.packets / max((facts.last_time - facts.first_time) / 1e9, 1)
    shown = Shown("eth0", live.status, rate, list(look_ahead(analysis, numbers)), messages)
    lines = compose(shown, View(), width, height, utc=True)
    live.close()
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


if __name__ == "__main__":
    path, seconds, size = sys.argv[1:]
    columns, rows = map(int, size.split("x"))
    print(picture(beginning(Path(path).read_bytes(), int(seconds)), columns, rows))
