"""Conversations as analyses, for tests of charts, and the labels of a chart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from conversation import CLIENT, SERVER, Conversation
from pictures import boxes
from wirebytes import Host, Segment, pcap_bytes

from analyzer import Analysis, analyze


def analysed(tmp_path: Path, *talks: Conversation | list[Segment]) -> Analysis:
    segments = [one for talk in talks for one in (talk if isinstance(talk, list) else talk.segments)]
    path = tmp_path / "talk.pcap"
    path.write_bytes(pcap_bytes(segments))
    return analyze(str(path), engine="plain")


def lost() -> Conversation:
    """Idle for ten seconds, an answered round, then three probes in vain, five seconds apart, and the reset."""
    talk = Conversation(rtt=0.02).handshake().data(CLIENT).data(SERVER).idle(10).probe(CLIENT).idle(10)
    return talk.probes(CLIENT, 3, every=5, answered=False).rst(CLIENT)


def words(figure: Any) -> list[str]:
    return [text for text, _ in boxes(figure)]


def moved(talk: Conversation, address: str, server: str = "198.51.100.20") -> list[Segment]:
    """The same conversation of another client, or with another server."""

    def host(one: Host) -> Host:
        return replace(one, address=address if one.address == "192.0.2.10" else server)

    return [replace(one, source=host(one.source), target=host(one.target)) for one in talk.segments]
