"""Heartbeats that programs send: counted by Wireshark's dissectors, or by the program at the other end."""

from collections.abc import Sequence
from pathlib import Path

from endpoints import Beats, Shown, Talk
from network import run
from stage import Stage
from timetable import OTHER

# What was lost before it was recorded, and sent again, is dissected in its place.
IN_ORDER = ("-o", "tcp.reassemble_out_of_order:TRUE")


def count(stage: Stage) -> None:
    """Say of each connection how many there were, once all is recorded; logs come first, for programs still run."""
    logged = {id(shown): _logged(shown.log, shown.ping) for talk in stage.talks for shown in talk.shown if shown.log}
    for talk in stage.talks:
        for shown in talk.shown:
            sent = answered = logged.get(id(shown), 0)
            if shown.log is None:
                sent, answered = _dissected(stage, talk, shown)
            if sent < 2:
                raise RuntimeError(f"{sent} heartbeats of the {shown.sender} by {shown.ping}")
            counted = Beats(shown.sender, shown.period_s, shown.jitter, sent, shown.protocol, answered)
            talk.beats = [*(talk.beats or []), counted]


def _logged(log: Path, words: str) -> int:
    return log.read_text(errors="replace").count(words)


def _dissected(stage: Stage, talk: Talk, shown: Shown) -> tuple[int, int]:
    """How many were sent and, from the first of them on, replied to."""
    pings = _filtered(stage, talk, shown.sender, shown.ping, shown.options)
    if not shown.pong:
        return len(pings), 0
    pongs = _filtered(stage, talk, OTHER[shown.sender], shown.pong, shown.options)
    return len(pings), sum(frame > min(pings.values(), default=0) for frame in pongs.values())


def _filtered(stage: Stage, talk: Talk, sender: str, words: str, options: Sequence[str]) -> dict[str, int]:
    """Segments that fit, by sequence number, each once however often it was sent, and the first frame of it."""
    end = talk.end(sender)
    ends = f"tcp.srcport == {end.address[1]} and tcp.dstport == {end.peer[1]}"
    told = ("-Y", f"{ends} and ({words})", "-T", "fields", "-e", "frame.number", "-e", "tcp.seq_raw")
    found = run("tshark", "-n", "-r", str(stage.capture_path()), *IN_ORDER, *options, *told)
    frames: dict[str, int] = {}
    for line in found.splitlines():
        number, seq = line.split()
        frames.setdefault(seq, int(number))
    return frames
