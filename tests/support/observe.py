"""What the analyzer makes of built conversations, through its public face."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conversation import Conversation
from wirebytes import Segment, pcap_bytes

from analyzer.analysis import Analysis
from analyzer.measure.sockets import Sightings
from analyzer.model.flows import SIDES, Flow, Keepalive
from analyzer.pipeline.run import analyze


def analyzed(*talks: Conversation, engine: str = "plain", nanoseconds: bool = True) -> Analysis:
    """The analysis of one capture with all these conversations in it."""
    segments: list[Segment] = [segment for talk in talks for segment in talk.segments]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.pcap"
        path.write_bytes(pcap_bytes(segments, nanoseconds=nanoseconds))
        analysis = analyze(str(path), engine=engine)
    told = [one for talk in talks for one in talk.sockets]
    return analysis.with_sockets(Sightings(told)) if told else analysis


def flows(*talks: Conversation) -> list[Flow]:
    """All connections of a capture, by stream."""
    return list(analyzed(*talks).flows)


def only_flow(talk: Conversation) -> Flow:
    """The one connection that the capture holds."""
    [flow] = flows(talk)
    return flow


def keepalive(flow: Flow, sender: str) -> Keepalive | None:
    """The keepalive entry of one end; None when it never probed."""
    return next((entry for entry in flow.keepalive if entry.sender == sender), None)


def probes_of(flow: Flow, sender: str) -> list[tuple[int, int | None]]:
    """The frames of one end's probes, each with the frame that answers it."""
    entry = keepalive(flow, sender)
    if entry is None:
        return []
    return [(probe.frame, probe.answer_frame) for episode in entry.episodes for probe in episode.probes]


def built_probes(talk: Conversation, sender: str) -> list[tuple[int, int | None]]:
    """The same as it was built in."""
    built = talk.built(sender)
    return [
        (probe.segment.frame, probe.answer.frame if probe.answer is not None and probe.answer.captured else None)
        for probe in built
    ]


def states(flow: Flow) -> tuple[str, str]:
    """Client's and server's state as RFC 9293 prints them."""
    return flow.state[0].label, flow.state[1].label


def ending(flow: Flow) -> tuple[str, str | None]:
    """How, and by whom."""
    return flow.ending.how.name.lower(), flow.ending.by


def handshake(flow: Flow) -> str:
    """The contract's word for how the connection began."""
    return flow.handshake.name.lower()


def assert_as_built(talk: Conversation, flow: Flow) -> None:
    """Everything that the conversation remembers is what the analyzer found."""
    for sender in SIDES:
        assert probes_of(flow, sender) == built_probes(talk, sender)
        sent = [segment for segment in talk.truth.window_probes if segment.sender == sender and segment.captured]
        assert flow.zero_window_probes[SIDES.index(sender)] == len(sent)
    assert states(flow) == talk.states
    assert handshake(flow) == talk.truth.handshake
    assert ending(flow) == talk.truth.ending
