"""What is kept of a connection besides its states: numbers sent, gaps, windows, requests, the sender's fingerprint."""

from __future__ import annotations

from analyzer.kernels.answers import end_gap
from analyzer.kernels.arithmetic import seq_diff
from analyzer.kernels.probes import IDLE_NS, settle_held
from analyzer.kernels.registry import Ints, kernel
from analyzer.kernels.states import log_event
from analyzer.layout import (
    ADVANCE_LEN,
    ADVANCE_TIME,
    CLIENT_ASKED,
    DPORT,
    DREW,
    END_TIME,
    ENDPOINT_SIZE,
    EVENT_SINCE,
    EVENT_ZERO_WINDOW,
    FINGERPRINT,
    FIRST_WORD,
    FLAGS,
    FRAME,
    GAP_IS_OPEN,
    GAP_OWN_DATA,
    HAS_NXT,
    HAS_UNA,
    HEAD_SIZE,
    HEARTBEAT,
    HOLDS_BACK,
    ID_LAST,
    ID_NEXT,
    ID_OTHER,
    ID_ZERO,
    IP_ID,
    KNOWN,
    LARGE_WORD,
    LAST_DATA,
    LAST_WINDOW,
    LEFT,
    LEN,
    LONGEST_GAP,
    LONGEST_GAP_END,
    MIN_RTT,
    NO_REPLY,
    NXT,
    NXT_IS_GUESS,
    OCTET,
    OPEN_GAP,
    OPEN_GAP_END,
    OPTIONS,
    OPTIONS_SEEN,
    REQUEST_FRAME,
    REQUEST_TIME,
    RESENT,
    RESENT_FIRST,
    RESENT_GAP,
    RESENT_LAST,
    ROLES,
    RUN,
    SEQ,
    SERVER_ASKED,
    SERVER_ENDED_GAP,
    SLOWEST_MASK,
    SLOWEST_REPLY,
    TIME,
    TTL,
    TTL_HIGH,
    TTL_LOW,
    TURNS,
    TURNS_MASK,
    UNA,
    UNPROMPTED,
    WENT_ON,
    WENT_ON_MASK,
    WINDOW,
    WORD,
    WORD_MASK,
    WORD_STEP,
    ZERO_SINCE,
)
from analyzer.tcp import RST, SYN
from analyzer.wire import HEARTBEAT_REPLY

# An idle gap shorter than this tells nothing about a middlebox.
GAP_NS = 1_000_000_000
# A segment below NXT this soon after NXT moved was overtaken on its way, not sent again (Wireshark's limit too).
REORDERED_NS = 3_000_000
# A client that says more after so long without a reply did not wait for one.
WENT_ON_NS = 1_000_000_000
# An answer follows at once, but for a delayed acknowledgement (RFC 1122 4.2.3.2) and the way there and back.
PROMPT_NS = 200_000_000
# Ports (IANA), and lengths of messages there.
MQTT, AMQP = 1883, 5672
AMQP_ACK, AMQP_PUBLISH, AMQP_OPEN = 21, 60, 4
MYSQL_CLOSE = 9
HTTP2_EMPTY, HTTP2_FOUR = 9, 13
TLS_DATA = 0x17


@kernel
def fingerprint(packets: Ints, row: int, flows: Ints, x: int) -> None:
    """What tells this sender's packets from those that a middlebox would make in its name."""
    ttl = packets[row + TTL]
    ip_id = packets[row + IP_ID]
    seen = flows[x + FINGERPRINT]
    if seen == 0:
        seen = (ttl << TTL_LOW) | (ttl << TTL_HIGH)
    elif ip_id == ((seen >> ID_LAST) + 1) & 0xFFFF and ip_id != 0:
        seen |= ID_NEXT
    elif ip_id != 0:
        seen |= ID_OTHER
    if ip_id == 0:
        seen |= ID_ZERO
    if ttl < seen & 0xFF or ttl > (seen >> TTL_HIGH) & 0xFF:
        low, high = min(ttl, seen & 0xFF), max(ttl, (seen >> TTL_HIGH) & 0xFF)
        seen = seen & ~0xFFFF | (low << TTL_LOW) | (high << TTL_HIGH)
    seen = seen & ~(0xFFFF << ID_LAST) | ((ip_id & 0xFFFF) << ID_LAST)
    flows[x + FINGERPRINT] = seen | (packets[row + OPTIONS] << OPTIONS_SEEN)


@kernel
def idle_gap(packets: Ints, row: int, flows: Ints, f: int, side: int) -> None:
    """The time since the connection's last packet: survived once both ends have spoken after it.

    A RST says nothing of that: whoever sent it may have forgotten the connection meanwhile.
    """
    time = packets[row + TIME]
    gap = time - flows[f + END_TIME]
    roles = flows[f + ROLES]
    if roles & GAP_IS_OPEN and packets[row + FLAGS] & RST == 0:
        if (roles & SERVER_ENDED_GAP != 0) != (side == 1):
            if flows[f + OPEN_GAP] > flows[f + LONGEST_GAP]:
                flows[f + LONGEST_GAP] = flows[f + OPEN_GAP]
                flows[f + LONGEST_GAP_END] = flows[f + OPEN_GAP_END]
            flows[f + ROLES] = roles & ~(GAP_IS_OPEN | SERVER_ENDED_GAP)
    elif roles & GAP_IS_OPEN == 0 and gap >= GAP_NS:
        flows[f + OPEN_GAP] = gap
        flows[f + OPEN_GAP_END] = time
        flows[f + ROLES] = roles | GAP_IS_OPEN | (SERVER_ENDED_GAP if side else 0)
    flows[f + END_TIME] = max(time, flows[f + END_TIME])


@kernel
def resent(flows: Ints, x: int, end: int, time: int) -> None:
    """A segment of `x` that was sent before: part of a run unless it was only overtaken, or acknowledged already."""
    if time - flows[x + ADVANCE_TIME] < REORDERED_NS and flows[x + RESENT] == 0:
        return
    if flows[x + KNOWN] & HAS_UNA and seq_diff(end, flows[x + UNA]) <= 0:
        return
    if flows[x + RESENT] == 0:
        flows[x + RESENT_FIRST] = time
        flows[x + RESENT_GAP] = time - flows[x + ADVANCE_TIME]
    else:
        flows[x + RESENT_GAP] = time - flows[x + RESENT_LAST]
    flows[x + RESENT] += 1
    flows[x + RESENT_LAST] = time


@kernel
def advance(packets: Ints, row: int, flows: Ints, x: int, probes: Ints) -> bool:
    """Move NXT by this segment, or count it as sent again; return whether it carries something new."""
    flags = packets[row + FLAGS]
    length = packets[row + LEN] + (flags & 1) + ((flags & SYN) >> 1)
    seq = packets[row + SEQ]
    end = (seq + length) & 0xFFFFFFFF
    known = flows[x + KNOWN]
    time = packets[row + TIME]
    ahead = 1
    if known & HAS_NXT:
        ahead = seq_diff(end, flows[x + NXT])
    if known & HOLDS_BACK and (length > 0 or ahead != 0):
        settle_held(flows, x, seq, time, time - IDLE_NS, probes)
    if known & HAS_NXT == 0 or ahead > 0:
        flows[x + NXT] = end
        if length > 0:
            flows[x + ADVANCE_TIME] = time
            flows[x + ADVANCE_LEN] = length
            flows[x + KNOWN] = flows[x + KNOWN] & ~NXT_IS_GUESS | HAS_NXT
        elif known & HAS_NXT == 0:
            flows[x + KNOWN] |= HAS_NXT | NXT_IS_GUESS
        return length > 0
    if length > 0:
        resent(flows, x, end, time)
    return False


@kernel
def window_of(packets: Ints, row: int, flows: Ints, f: int, x: int, endpoint: int, events: Ints, counts: Ints) -> None:
    """The window that `x` advertises: closed since when, and for how long before."""
    window = packets[row + WINDOW]
    time = packets[row + TIME]
    before = flows[x + LAST_WINDOW]
    flows[x + LAST_WINDOW] = window
    if window == 0:
        if before != 0 or flows[x + ZERO_SINCE] == 0:
            flows[x + ZERO_SINCE] = time
    elif before == 0 and flows[x + ZERO_SINCE] > 0:
        e = log_event(packets, row, flows, f, endpoint, EVENT_ZERO_WINDOW, events, counts)
        if e >= 0:
            events[e + EVENT_SINCE] = flows[x + ZERO_SINCE]
        flows[x + ZERO_SINCE] = 0


@kernel
def draws_no_reply(packets: Ints, row: int, turns: int) -> bool:
    """Whether what a client says here is known to draw none: the reply to a heartbeat, an acknowledgement, a farewell.

    MQTT (3.1.1 2.2): PUBLISH with QoS 0, PUBACK, PUBCOMP, DISCONNECT. AMQP (0-9-1 1.8.3): Basic.Ack, and, once the
    connection and its channel are open, what is as long as Basic.Publish. MySQL: COM_STMT_CLOSE. HTTP/2 (RFC 9113 6):
    SETTINGS with ACK, WINDOW_UPDATE, RST_STREAM.
    """
    octet = packets[row + OCTET]
    length = packets[row + LEN]
    port = packets[row + DPORT]
    if packets[row + HEARTBEAT] & HEARTBEAT_REPLY:
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
    if roles & CLIENT_ASKED and time - flows[x + LAST_DATA] < WENT_ON_NS:
        word = max(word, roles >> WORD & WORD_MASK)
        none = none and roles & NO_REPLY != 0
    elif roles & CLIENT_ASKED and roles & NO_REPLY == 0:
        if roles >> WENT_ON & WENT_ON_MASK < WENT_ON_MASK:
            roles += 1 << WENT_ON
    else:
        # An answer to what the server wanted to know is as long as that (a PING), or follows it at once.
        prompt = time - flows[y + LAST_DATA] <= PROMPT_NS + max(flows[x + MIN_RTT], 0)
        alike = flows[y + ADVANCE_LEN] == length and flows[y + ADVANCE_TIME] == flows[y + LAST_DATA]
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
