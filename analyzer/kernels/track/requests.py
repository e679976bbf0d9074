"""Requests and replies: whether what a client says draws a reply, by its protocol and by what it said before."""

from __future__ import annotations

from analyzer.kernels.engine.registry import Ints, kernel
from analyzer.kernels.track.answers import end_gap
from analyzer.tables.fields import (
    ADVANCE_LEN,
    ADVANCE_TIME,
    CLIENT_ASKED,
    DPORT,
    DREW,
    ENDPOINT_SIZE,
    FIRST_WORD,
    FRAME,
    GAP_OWN_DATA,
    HEAD_SIZE,
    HEARTBEAT,
    LARGE_WORD,
    LAST_DATA,
    LAST_WINDOW,
    LEFT,
    LEN,
    MIN_RTT,
    NO_REPLY,
    OCTET,
    REQUEST_FRAME,
    REQUEST_TIME,
    ROLES,
    RUN,
    SERVER_ASKED,
    SLOWEST_MASK,
    SLOWEST_REPLY,
    TIME,
    TURNS,
    TURNS_MASK,
    UNPROMPTED,
    WENT_ON,
    WENT_ON_MASK,
    WORD,
    WORD_MASK,
    WORD_STEP,
)
from analyzer.tables.heartbeats import HEARTBEAT_ALONE, HEARTBEAT_REPLY

# A client that says more after so long without a reply did not wait for one.
WENT_ON_NS = 1_000_000_000
# An answer follows at once, but for a delayed acknowledgement (RFC 1122 4.2.3.2) and the way there and back.
PROMPT_NS = 200_000_000
# Ports (IANA), and lengths of messages there.
MQTT, AMQP = 1883, 5672
AMQP_ACK, AMQP_OPEN = 21, 4
AMQP_PUBLISH = 49  # at least: Basic.Publish 18, with a name of one byte, a header without properties 22, a body 9
MYSQL_CLOSE = 9
HTTP2_EMPTY, HTTP2_FOUR = 9, 13
TLS_ALERT, TLS_DATA = 0x15, 0x17
LONGEST_ALERT = 5 + 64  # the record's header; two bytes, encrypted and padded with any cipher


@kernel
def one_way_beat(packets: Ints, row: int) -> bool:
    """Whether this is a heartbeat that nobody replies to."""
    return packets[row + HEARTBEAT] & HEARTBEAT_ALONE != 0


@kernel
def draws_no_reply(packets: Ints, row: int, turns: int) -> bool:
    """Whether what a client says here is known to draw none: the reply to a heartbeat, an acknowledgement, a farewell.

    MQTT (3.1.1 2.2): PUBLISH with QoS 0, PUBACK, PUBCOMP, DISCONNECT. AMQP (0-9-1 1.8.3): Basic.Ack, and, once the
    connection and its channel are open, what is as long as Basic.Publish. MySQL: COM_STMT_CLOSE. HTTP/2 (RFC 9113 6):
    SETTINGS with ACK, WINDOW_UPDATE, RST_STREAM. TLS (RFC 8446 6): an alert.
    """
    octet = packets[row + OCTET]
    length = packets[row + LEN]
    port = packets[row + DPORT]
    if packets[row + HEARTBEAT] & HEARTBEAT_REPLY or one_way_beat(packets, row):
        return True
    if octet == TLS_ALERT and length <= LONGEST_ALERT:
        return True
    if port == MQTT:
        return octet & 0xF6 == 0x30 or octet == 0x40 or octet == 0x70 or octet == 0xE0
    if port == AMQP:
        return octet == 1 and (length == AMQP_ACK or (length >= AMQP_PUBLISH and turns >= AMQP_OPEN))
    if octet == 0:
        return length == HTTP2_EMPTY or length == HTTP2_FOUR
    return octet == 5 and length == MYSQL_CLOSE


@kernel
def client_word(packets: Ints, row: int, flows: Ints, f: int, x: int, y: int, roles: int) -> int:
    """Return `roles` with what the client says here: its size, and whether it waits for a reply."""
    time = packets[row + TIME]
    length = packets[row + LEN]
    word = min(length // WORD_STEP, LARGE_WORD)
    turns = roles >> TURNS & TURNS_MASK
    none = draws_no_reply(packets, row, turns)
    if roles & CLIENT_ASKED and roles & NO_REPLY == 0 and one_way_beat(packets, row):
        return roles  # it goes on waiting
    if roles & CLIENT_ASKED and time - flows[x + LAST_DATA] < WENT_ON_NS:
        word = max(word, roles >> WORD & WORD_MASK)
        none = none and roles & NO_REPLY != 0
    elif roles & CLIENT_ASKED and roles & NO_REPLY == 0:
        if roles >> WENT_ON & WENT_ON_MASK < WENT_ON_MASK:
            roles += 1 << WENT_ON
    else:
        # An answer to what the server wanted to know is as long as that (a PING), or follows it at once.
        prompt = time - flows[y + LAST_DATA] <= PROMPT_NS + max(flows[x + MIN_RTT], 0)
        alike = flows[y + LAST_WINDOW] >> ADVANCE_LEN == length and flows[y + ADVANCE_TIME] == flows[y + LAST_DATA]
        # So is, mostly, what is short and unlike any request so far, and follows at once, or is a record of TLS.
        unlike = word < LARGE_WORD and roles >> (DREW + word) & 1 == 0
        if roles & CLIENT_ASKED == 0 and prompt and (alike or unlike or roles & UNPROMPTED):
            none = True
        if unlike and turns > 0 and packets[row + OCTET] == TLS_DATA:
            none = True
        roles = roles & ~(CLIENT_ASKED | SERVER_ASKED | (WORD_MASK << FIRST_WORD)) | CLIENT_ASKED | (word << FIRST_WORD)
        flows[f + REQUEST_TIME] = time
        flows[f + REQUEST_FRAME] = packets[row + FRAME]
    return roles & ~(NO_REPLY | (WORD_MASK << WORD)) | (word << WORD) | (NO_REPLY if none else 0)


@kernel
def server_word(packets: Ints, row: int, flows: Ints, f: int, x: int, roles: int) -> int:
    """Return `roles` with what the server says here: a reply to what the client has asked, or something unasked."""
    time = packets[row + TIME]
    if roles & CLIENT_ASKED:
        slowest = (roles >> SLOWEST_REPLY) & SLOWEST_MASK
        took = time - flows[f + REQUEST_TIME]
        while took >> slowest > 0 and slowest < SLOWEST_MASK:
            slowest += 1
        roles = roles & ~(SLOWEST_MASK << SLOWEST_REPLY) | (slowest << SLOWEST_REPLY)
        if roles >> TURNS & TURNS_MASK < TURNS_MASK:
            roles += 1 << TURNS
        if roles & NO_REPLY == 0:
            roles |= 1 << (DREW + (roles >> WORD & WORD_MASK))
        if roles >> WENT_ON & WENT_ON_MASK:
            roles |= 1 << (LEFT + (roles >> FIRST_WORD & WORD_MASK))
        roles &= ~(UNPROMPTED | (WENT_ON_MASK << WENT_ON))
    elif 0 < flows[x + LAST_DATA] <= time - WENT_ON_NS:
        roles |= UNPROMPTED
    if roles & SERVER_ASKED == 0:
        flows[f + REQUEST_TIME] = time
        flows[f + REQUEST_FRAME] = packets[row + FRAME]
    return roles & ~(CLIENT_ASKED | SERVER_ASKED) | SERVER_ASKED


@kernel
def request_reply(packets: Ints, row: int, flows: Ints, f: int, x: int, side: int, probes: Ints) -> None:
    """New data of `x`: a reply to what its peer asked, and perhaps a request of its own."""
    roles = flows[f + ROLES]
    if side:
        flows[f + ROLES] = server_word(packets, row, flows, f, x, roles)
    else:
        flows[f + ROLES] = client_word(packets, row, flows, f, x, f + HEAD_SIZE + ENDPOINT_SIZE, roles)
    if flows[x + RUN] > 0:
        end_gap(flows, x, GAP_OWN_DATA, packets[row + TIME], probes)
