"""A request without a reply is a hung application; what draws no reply by its nature is none."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import CLIENT, SERVER, Conversation
from observe import analyzed, only_flow

FORMS = [{}, {"v6": True}, {"timestamps": False}, {"v6": True, "timestamps": False, "at": SERVER}]
EVERY_FORM = pytest.mark.parametrize("form", FORMS, ids=str)


def begun(replied: int, *, port: int = 443, octets: int = 150, apart: float = 0.4, **form: Any) -> Conversation:
    """A connection with so many requests, each replied to at once."""
    talk = Conversation(ports=(40_100, port), rtt=0.02, **form).handshake()
    for _ in range(replied):
        talk.data(CLIENT, octets).data(SERVER, 900).idle(apart)
    return talk


def quiet(talk: Conversation, probes: int = 3, every: float = 30.0, octets: int = 0) -> Conversation:
    """Silence with answered probes to the end."""
    talk.idle(every)
    return talk.probes(CLIENT, probes, every=every, octets=octets)


def verdict(talk: Conversation) -> str:
    return only_flow(talk).verdict


def confidence(talk: Conversation) -> list[str]:
    return [one.confidence for one in analyzed(talk).findings if one.rule == "app-hung"]


@EVERY_FORM
def test_a_ping_and_its_acknowledgement_of_the_same_length_leave_nothing_to_wait_for(form: dict[str, Any]) -> None:
    talk = begun(3, **form).data(SERVER, 46).data(CLIENT, 46)
    assert verdict(quiet(talk, octets=1)) == "healthy"


@EVERY_FORM
@pytest.mark.parametrize("replied", [0, 1, 2, 3, 5])
def test_the_same_request_without_a_reply_is_hung(form: dict[str, Any], replied: int) -> None:
    talk = quiet(begun(replied, **form).data(CLIENT, 150))
    assert verdict(talk) == "app_hung"
    assert confidence(talk) == ["likely" if replied >= 3 else "possible"]


@pytest.mark.parametrize(("replied", "said"), [(0, "healthy"), (5, "app_hung")])
def test_where_the_last_probe_has_no_answer_only_a_history_tells(replied: int, said: str) -> None:
    """It may be the host that is gone, and not its application that hangs."""
    talk = quiet(begun(replied).data(CLIENT, 150))
    assert verdict(talk) == "app_hung"
    assert verdict(talk.idle(15).probe(CLIENT, answered=False)) == said


def test_a_request_that_follows_a_reply_of_another_length_waits() -> None:
    """As prompt as an acknowledgement, and as small, but such requests were replied to before."""
    talk = begun(4, octets=46).data(CLIENT, 60).data(SERVER, 900).data(CLIENT, 46)
    assert verdict(quiet(talk)) == "app_hung"


# Basic.Publish to a queue with a name of one byte, a header without properties, a body of one byte.
PUBLISH = b"\1\0\1\0\0\0\x0a\0\x3c\0\x28\0\0\0\1q\0\xce\2\0\1\0\0\0\x0e\0\x3c" + bytes(12) + b"\xce\3\0\1\0\0\0\1x\xce"


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (3306, b"\x05\0\0\0\x19\1\0\0\0"),  # COM_STMT_CLOSE
        (1883, b"\x30\x50" + b"t" * 80),  # PUBLISH, QoS 0
        (1883, b"\x40\x02\0\1"),  # PUBACK
        (5672, b"\1\0\1\0\0\0\x0d\0\x3c\0\x50" + bytes(9) + b"\xce"),  # Basic.Ack
        (5672, PUBLISH),
        (443, b"\x17\3\3\0\x1a" + b"x" * 26),  # SETTINGS with ACK in TLS
        (80, b"\0\0\0\4\1\0\0\0\0"),  # the same in the clear
        (443, b"\x15\3\3\0\x1a" + b"x" * 26),  # close_notify
        (50051, b"\0\0\x08\7" + bytes(13)),  # GOAWAY
        (3307, b"\1\0\0\0\1"),  # COM_QUIT
        (6432, b"X\0\0\0\4"),  # Terminate
        (5672, b"\x08\0\0\0\0\0\0\xce"),  # a heartbeat of AMQP
        (179, b"\xff" * 16 + b"\0\x13\4"),  # KEEPALIVE of BGP
    ],
    ids=str,
)
@EVERY_FORM
def test_what_draws_no_reply_is_not_waited_for(port: int, message: bytes, form: dict[str, Any]) -> None:
    talk = begun(5, port=port, **form)
    talk.send(CLIENT, "PA", message)
    talk.idle(0.05).acknowledge(SERVER)
    assert verdict(quiet(talk)) == "healthy"


@pytest.mark.parametrize("message", [b"\1\0\0\0\x0e", b"Q\0\0\0\rSELECT 1\0"], ids=str)
def test_what_asks_whether_a_server_is_there_waits_as_a_request_does(message: bytes) -> None:
    talk = begun(0, port=3306)
    for _ in range(4):
        talk.send(CLIENT, "PA", message)
        talk.idle(0.05).data(SERVER, 60).idle(3)
    talk.send(CLIENT, "PA", message)
    talk.idle(0.05).acknowledge(SERVER)
    assert verdict(quiet(talk)) == "app_hung"


def test_heartbeats_that_nobody_replies_to_do_not_end_the_waiting_for_a_reply() -> None:
    talk = begun(4, port=5672, octets=30).data(CLIENT, 30)
    for _ in range(3):
        talk.idle(10).send(CLIENT, "PA", b"\x08\0\0\0\0\0\0\xce")
        talk.idle(0.05).acknowledge(SERVER)
    assert verdict(quiet(talk)) == "app_hung"


@EVERY_FORM
def test_a_short_request_unlike_those_before_is_one(form: dict[str, Any]) -> None:
    """As long as an acknowledgement, but nothing came before it that it could acknowledge."""
    talk = quiet(begun(4, octets=22, port=6379, **form).idle(3).data(CLIENT, 41))
    assert verdict(talk) == "app_hung"
    assert confidence(talk) == ["possible"]


def test_an_acknowledgement_of_what_the_server_says_unasked_is_not_waited_for() -> None:
    """A subscriber: the server speaks when there is something, the client answers with as much as a request."""
    talk = begun(4)
    for _ in range(3):
        talk.idle(20).data(SERVER, 500).data(CLIENT, 150)
    assert verdict(quiet(talk, every=60)) == "healthy"


def test_who_used_to_have_the_last_word_has_it_again() -> None:
    """Of messages so long some drew replies, but others were left alone, and the server came back all the same."""
    talk = begun(4)
    for _ in range(2):
        talk.data(CLIENT, 150).idle(5).data(CLIENT, 155).data(SERVER, 900).idle(2)
    assert verdict(quiet(talk.data(CLIENT, 150), every=60)) == "healthy"


def test_a_client_that_tries_again_does_not_make_a_server_well() -> None:
    talk = begun(4).data(CLIENT, 150).idle(5).data(CLIENT, 150)
    assert verdict(quiet(talk)) == "app_hung"


@pytest.mark.parametrize(("port", "said"), [(6514, 1), (5140, 6)])
def test_who_only_sends_waits_for_nothing(port: int, said: int) -> None:
    """A log that goes one way: known by its port, or because it goes on."""
    talk = begun(0, port=port)
    for _ in range(said):
        talk.data(CLIENT, 300).idle(2)
    assert verdict(quiet(talk)) == "healthy"


@pytest.mark.parametrize("probes", [0, 1])
def test_little_history_and_few_answers_prove_nothing(probes: int) -> None:
    assert verdict(quiet(begun(1).data(CLIENT, 150), probes)) != "app_hung"


def test_a_capture_that_begins_later_knows_no_first_request() -> None:
    talk = Conversation(ports=(40_100, 9874)).handshake().capture_begins()
    assert verdict(quiet(talk.data(CLIENT, 167))) == "healthy"


@EVERY_FORM
def test_a_first_request_is_one(form: dict[str, Any]) -> None:
    talk = quiet(begun(0, port=9874, **form).data(CLIENT, 167), every=20)
    assert verdict(talk) == "app_hung"
    assert confidence(talk) == ["possible"]


def test_the_compiled_way_says_the_same() -> None:
    talks = [
        quiet(begun(2).data(CLIENT, 150)),
        quiet(begun(3).data(SERVER, 39).data(CLIENT, 39)),
    ]
    for talk, word in zip(talks, ("app_hung", "healthy"), strict=True):
        assert analyzed(talk, engine="compiled").verdicts == [word]


@EVERY_FORM
def test_a_pong_is_not_waited_for(form: dict[str, Any]) -> None:
    """WebSocket (RFC 6455 5.5.3): the server pings, the client answers with a masked frame of another length."""
    talk = begun(3, port=8080, **form).idle(25)
    talk.send(SERVER, "PA", b"\x89\0")
    talk.idle(0.02).acknowledge(CLIENT)
    talk.send(CLIENT, "PA", b"\x8a\x80\x12\x34\x56\x78")
    talk.idle(0.03).acknowledge(SERVER)
    assert verdict(quiet(talk)) == "healthy"


@EVERY_FORM
def test_a_subscriber_waits_for_what_may_come(form: dict[str, Any]) -> None:
    """Redis: SUBSCRIBE is replied to, and messages come when there are any."""
    talk = begun(1, port=6379, octets=30, **form).data(CLIENT, 33).data(SERVER, 40)
    for _ in range(2):
        talk.idle(40).data(SERVER, 70)
    assert verdict(quiet(talk)) == "healthy"


def test_a_replica_acknowledges_without_an_answer() -> None:
    """Redis: REPLCONF ACK, once a second, while the master sends only what there is."""
    talk = begun(3, port=6379, octets=80)
    for _ in range(3):
        for _ in range(4):
            talk.idle(1.1).data(CLIENT, 37)
        talk.data(SERVER, 14)
    talk.idle(1.1).data(CLIENT, 37)
    assert verdict(quiet(talk, every=60)) == "healthy"


@EVERY_FORM
def test_a_long_request_in_several_segments_is_one(form: dict[str, Any]) -> None:
    """The last segment may be as small as an acknowledgement."""
    talk = begun(3, octets=1500, **form).data(CLIENT, 2 * 1460 + 9)
    assert verdict(quiet(talk)) == "app_hung"
