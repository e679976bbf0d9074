"""The kernel's word about sockets beside packets: keepalive is not guessed, and where both differ is a finding."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.analysis import Analysis
from analyzer.measure.sockets import Sightings
from analyzer.model.findings import Finding
from analyzer.model.sockets import Sighting, Timer
from analyzer.tcp import SECOND


def silent(port: int = 40_000) -> Conversation:
    """A request and a reply, then nothing."""
    return Conversation(ports=(port, 5432)).handshake().data(CLIENT, 100).data(SERVER, 300).idle(20)


def later() -> Conversation:
    """Another connection, which shows how long the capture went on."""
    return Conversation(ports=(50_000, 80), start=60, rtt=0.001).handshake()


def of_rule(analysis: Analysis, rule: str) -> list[Finding]:
    return [one for one in analysis.findings if one.rule == rule]


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_keepalive_that_a_kernel_knows_of_is_not_guessed(side: str) -> None:
    on = analyzed(silent().socket(side, Timer.KEEPALIVE, 40), later())
    off = analyzed(silent().socket(side), later())
    hidden = analyzed(silent().socket(side, Timer.RETRANSMIT, 1), later())
    assert [analysis.verdicts[0] for analysis in (on, off, hidden)] == ["healthy", "unprotected", "unprotected"]
    assert not of_rule(on, "unprotected-idle")
    [known], [guessed] = of_rule(off, "unprotected-idle"), of_rule(hidden, "unprotected-idle")
    assert (known.confidence, known.severity, known.tentative) == ("certain", "low", False)
    assert f"keepalive is off on the {side}, python3 (pid 12, fd 4)" in known.summary
    assert (guessed.confidence, guessed.severity, guessed.tentative) == ("possible", "low", True)
    assert known.process == guessed.process == "python3 (pid 12, fd 4)"


def test_one_side_with_keepalive_is_enough() -> None:
    both = analyzed(silent().socket(CLIENT).socket(SERVER, Timer.KEEPALIVE, 40), later())
    neither = analyzed(silent().socket(CLIENT).socket(SERVER), later())
    assert both.verdicts[0] == "healthy"
    [finding] = of_rule(neither, "unprotected-idle")
    assert "off on both sides" in finding.summary
    assert [one.side for one in both.flow(0).sockets] == [CLIENT, SERVER]


def test_connections_of_one_service_are_one_finding_and_those_that_are_guessed_another() -> None:
    analysis = analyzed(*(silent(40_000 + n).socket(CLIENT) for n in range(5)), silent(41_000), later())
    known, guessed = of_rule(analysis, "unprotected-idle")
    assert (len(known.streams), guessed.stream) == (5, 5)
    assert known.process == "python3 (pid 12, fd 4, 4, 4, ...)"


def test_a_socket_is_that_of_the_last_connection_with_its_ends() -> None:
    first, second = silent().fin(CLIENT).fin(SERVER), Conversation(start=30, client_isn=77_000_000).handshake()
    analysis = analyzed(first, second.socket(CLIENT), later())
    assert [len(flow.sockets) for flow in analysis.flows] == [0, 1, 0]


def test_a_socket_that_is_gone_says_whose_it_was_and_no_more() -> None:
    talk = silent().socket(CLIENT, Timer.KEEPALIVE, 40)
    [one] = talk.sockets
    talk.sockets = []
    plain = analyzed(talk, later())
    began = plain.flow(0).start
    gone = plain.with_sockets(Sightings([one._replace(gone=True)]))
    before = plain.with_sockets(Sightings([Sighting(one.socket, began - 1, gone=True)]))
    assert [analysis.verdicts[0] for analysis in (plain, gone, before)] == ["unprotected"] * 3
    assert [len(analysis.flow(0).sockets) for analysis in (plain, gone, before)] == [0, 1, 0]
    [finding] = of_rule(gone, "unprotected-idle")
    assert (finding.confidence, finding.process) == ("possible", "python3 (pid 12, fd 4)")


def probed(
    unanswered: int, *, lost: bool = False, left: float = 3.0, after: float = 2.0, timer: Timer = Timer.KEEPALIVE
) -> Analysis:
    """Three probes 5 s apart with replies, the last perhaps without, and so long after it the word of the kernel."""
    talk = silent().idle(10)
    for number in range(3):
        talk.ask(CLIENT) if lost and number == 2 else talk.probe(CLIENT)
        talk.now = talk.truth.probes[-1].segment.time + 5 * SECOND
    talk.now = talk.truth.probes[-1].segment.time + round(after * 1e9)
    return analyzed(talk.socket(CLIENT, timer, left, unanswered), later())


@pytest.mark.parametrize(
    ("analysis", "told"),
    [
        (probed(3), True),
        (probed(2), True),
        (probed(1), False),  # a single reply may be lost
        (probed(3, lost=True), False),  # the capture lacks that reply, too
        (probed(3, left=28.0), False),  # the next probe is due after the idle time: more were sent since
        (probed(3, left=3.0, after=12.0), False),  # the kernel was asked later, when it had sent more
        (probed(3, left=4.99, after=0.01), True),  # the newest probe was sent just now
        (probed(2, left=4.99, after=0.01), False),  # and it is one of these two
        (probed(3, timer=Timer.RETRANSMIT), False),  # retransmissions are no probes
    ],
)
def test_replies_are_dropped_on_the_host_where_its_kernel_counts_none_of_them(analysis: Analysis, told: bool) -> None:
    found = of_rule(analysis, "answer-dropped-on-host")
    assert [one.confidence for one in found] == ["likely"] * told
    assert [len(one.evidence.frames) for one in found] == [4] * told
