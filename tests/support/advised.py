"""Advice on made-up conversations, whose packets can be read a second time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conversation import Conversation
from wirebytes import Segment, pcap_bytes

from analyzer.advise import advise, parse
from analyzer.model.advice import Advice
from analyzer.pipeline.run import analyze


def advice_on(*talks: Conversation, settings: str = "") -> Advice:
    """What is advised of one capture with all these conversations, having tried these settings (one or several)."""
    segments: list[Segment] = [segment for talk in talks for segment in talk.segments]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.pcap"
        path.write_bytes(pcap_bytes(segments, nanoseconds=True))
        return advise(analyze(str(path), engine="plain"), [parse(one) for one in settings.split()])
