"""Whose program never closed: where the packets show it, how surely, and what is to be looked for."""

from __future__ import annotations

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.diagnose import USUAL_NS
from analyzer.knowledge.matching import profiles
from analyzer.model.findings import Finding

SHAPES = pytest.mark.parametrize("shape", [{}, {"v6": True}, {"timestamps": False}, {"v6": True, "timestamps": False}])


def others(until: float, ports: tuple[int, int] = (50_000, 22)) -> Conversation:
    """A connection in use until then, which shows that the capture runs on."""
    talk = Conversation(ports=ports).handshake()
    for _ in range(int(until) // 5):
        talk.idle(5).data(CLIENT, 200).data(SERVER, 300)
    return talk


def found(rule: str, *talks: Conversation) -> list[Finding]:
    return [finding for finding in analyzed(*talks).findings if finding.rule == rule]


@SHAPES
@pytest.mark.parametrize(("waited", "confidence"), [(20, "possible"), (45, "likely"), (75, "certain")])
def test_a_holder_waits_until_its_probe_meets_a_reset(shape: dict[str, bool], waited: float, confidence: str) -> None:
    """What the capture shows after that says nothing about it."""
    talk = Conversation(**shape).handshake().data(CLIENT, 100).data(SERVER, 900).fin(SERVER).idle(waited)  # type: ignore[arg-type]
    talk.ask(CLIENT)
    talk.rst(SERVER, bare=True)
    [finding] = found("close-wait-leak", talk, others(waited + 120))
    assert finding.confidence == confidence
    assert "before the connection ended" in finding.summary
    assert "CLOSE-WAIT" not in finding.remedy  # there is no such socket any more
    assert talk.segments[-1].frame in finding.evidence.frames


@SHAPES
def test_one_that_waits_still_has_sockets_to_look_for(shape: dict[str, bool]) -> None:
    talk = Conversation(**shape).handshake().data(CLIENT, 100).fin(SERVER)  # type: ignore[arg-type]
    [finding] = found("close-wait-leak", talk, others(80))
    assert (finding.severity, finding.confidence) == ("medium", "certain")
    assert "CLOSE-WAIT" in finding.remedy


@SHAPES
@pytest.mark.parametrize("closer", [CLIENT, SERVER])
def test_a_fin_and_its_ack_may_be_the_second_half_of_a_close(shape: dict[str, bool], closer: str) -> None:
    talk = Conversation(**shape).handshake().data(CLIENT, 100)  # type: ignore[arg-type]
    before = len(talk.segments)
    talk.idle(30).fin(closer)
    talk.segments = talk.segments[before:]
    [finding] = found("close-wait-leak", talk, others(120))
    assert (finding.severity, finding.confidence) == ("low", "possible")


@SHAPES
def test_whose_data_is_in_the_capture_was_open(shape: dict[str, bool]) -> None:
    """A near miss of the last: one segment of the holder more."""
    talk = Conversation(**shape).handshake()  # type: ignore[arg-type]
    before = len(talk.segments)
    talk.idle(5).data(CLIENT, 100).fin(SERVER)
    talk.segments = talk.segments[before:]
    [finding] = found("close-wait-leak", talk, others(100))
    assert (finding.severity, finding.confidence) == ("medium", "certain")


@pytest.mark.parametrize("how", ["fin", "rst", "nothing", "another"])
def test_the_other_leg_of_a_nat_shows_that_it_did_close(how: str) -> None:
    """The same numbers under two addresses; the close of the one did not come out on the other."""
    inside = Conversation(rtt=0.02, ports=(40_000, 443)).handshake().data(CLIENT, 300).data(SERVER, 500).fin(CLIENT)
    isn = 2_000_000 if how == "another" else 1_000_000
    outside = Conversation(rtt=0.02, ports=(1024, 443), client_isn=isn, start=0.001)
    outside.handshake().data(CLIENT, 300).data(SERVER, 500).fin(CLIENT)
    for talk in (outside, inside):
        talk.idle(20)
    if how == "rst":
        inside.rst(SERVER)
    elif how in ("fin", "another"):
        inside.fin(SERVER)
    holders = found("close-wait-leak", inside, outside, others(120))
    assert len(holders) == (0 if how in ("fin", "rst") else 1)


@pytest.mark.parametrize(("gaps", "severity"), [((0, 0), "medium"), ((90, 90), "medium"), ((130, 140), "low")])
def test_a_silence_of_a_few_turns_is_no_idle_connection(gaps: tuple[float, float], severity: str) -> None:
    """Who was silent for two minutes again and again may be in use, though it now is so for six."""
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 100)
    for gap in gaps:
        talk.idle(gap).data(CLIENT, 120).data(SERVER, 250)
    [finding] = found("unprotected-idle", talk, others(360 + sum(gaps)))
    assert finding.severity == severity


@pytest.mark.parametrize(("silent", "severity"), [(30, "low"), (300, "low"), (330, "low"), (345, "medium")])
def test_a_silence_says_something_when_a_usual_keepalive_would_have_shown_itself(silent: float, severity: str) -> None:
    talk = Conversation().handshake().data(CLIENT, 100).data(SERVER, 100)
    [finding] = found("unprotected-idle", talk, others(silent))
    assert (finding.severity, finding.tentative) == (severity, severity == "low")
    assert finding.confidence == "possible"


def probed(port: int, service: int, silences: int, idle: float) -> Conversation:
    """Another connection of the same client, probed after so much silence."""
    talk = Conversation(ports=(port, service)).handshake().data(CLIENT, 100).data(SERVER, 100)
    for _ in range(silences):
        talk.idle(idle).probe(CLIENT)
    return talk


@pytest.mark.parametrize(
    ("idle", "silences", "service", "silent", "severity"),
    [
        (15, 4, 5432, 65, "medium"),
        (15, 2, 5432, 35, "medium"),
        (60, 1, 5432, 70, "low"),
        (15, 4, 6379, 65, "low"),
        (600, 1, 5432, 620, "low"),
    ],
    ids=["clearly longer", "twice", "not clearly", "another service", "longer than is usual"],
)
def test_connections_alike_say_when_a_probe_would_have_come(
    idle: float, silences: int, service: int, silent: float, severity: str
) -> None:
    talk = Conversation(ports=(40_000, 5432)).handshake().data(CLIENT, 100).data(SERVER, 100)
    [finding] = found("unprotected-idle", talk, probed(40_001, service, silences, idle), others(silent))
    assert finding.severity == severity


def test_one_packet_is_no_silence() -> None:
    lone = Conversation(ports=(40_001, 5432)).data(CLIENT, 100)
    assert not found("unprotected-idle", lone, others(400))


def test_the_longest_usual_idle_time_is_the_longest_of_those_that_are_known() -> None:
    """But for those of two hours, which are the system's."""
    known = [one.tcp_keepalive_time for one in profiles()]
    longest = max(one for one in known if isinstance(one, int | float) and one < 7200)
    assert longest * 10**9 * 9 // 8 == USUAL_NS


def fragment(number: int, start: float, *, whole: bool) -> Conversation:
    """A few segments of a connection, its beginning cut off or not."""
    talk = Conversation(ports=(41_000 + number, 6633), start=start).handshake()
    if not whole:
        talk.segments.clear()
    return talk.data(CLIENT, 90).data(SERVER, 400).data(CLIENT, 120)


@pytest.mark.parametrize(("whole", "severity"), [(False, "low"), (True, "medium")])
def test_a_file_put_together_from_pieces_has_no_silence(whole: bool, severity: str) -> None:
    """Between its pieces nobody was recording; where each connection is there from its SYN, somebody was."""
    talks = [fragment(number, 900 * number, whole=whole) for number in range(7)]
    findings = found("unprotected-idle", *talks, others(15, (50_000, 22)))
    assert {finding.severity for finding in findings} == {severity}


@pytest.mark.parametrize("every", [0.16, 1.4])
def test_syns_sooner_than_any_tcp_repeats_are_one_attempt(every: float) -> None:
    """A tool that asks from one port with a new number each time; the last is answered."""
    talks = []
    for number in range(12):
        talk = Conversation(client_isn=7_000_000 + 99_999 * number, start=every * number).syn()
        talks.append(talk)
    talks[-1].syn_ack().acknowledge(CLIENT)
    refused = found("connection-unanswered", *talks, others(60))
    assert len(refused) == (0 if every < 1 else 1)


@pytest.mark.parametrize("kind", ["challenge", "late", "fin"])
def test_only_a_pure_ack_at_once_is_a_challenge(kind: str) -> None:
    """An old connection's ACK comes within a round trip of the SYN; anything 50 s later is of something else."""
    talk = Conversation(rtt=0.04).syn()
    talk.idle(50 if kind != "challenge" else 0.04)
    talk.send(SERVER, "FA" if kind == "fin" else "A", seq=77_000_000, ack=55_000_000)
    held = found("older-connection-held", talk, others(80))
    assert [finding.confidence for finding in held] == (["possible"] if kind == "challenge" else [])
