"""Payload that is a heartbeat, or is about heartbeats: the rows of tables.heartbeats, WebSocket's control frames."""

from __future__ import annotations

from analyzer.kernels.engine.registry import Buffer, kernel
from analyzer.tables.heartbeats import (
    HEARTBEAT_REPLY,
    HTTP2_HEADER,
    HTTP2_PING,
    HTTP2_SETTINGS,
    HTTP2_WINDOW_UPDATE,
    SAYS_VALUE,
    WEBSOCKET_CLOSE,
    WEBSOCKET_LONGEST,
    WEBSOCKET_PING,
    WEBSOCKET_PONG,
)
from analyzer.tables.patterns import PATTERN_HEAD, PATTERN_SIZE, PATTERNS, PATTERNS_FROM


@kernel
def websocket_payload(buf: Buffer, at: int, length: int) -> int:
    """As `heartbeat_payload`, for a whole WebSocket control frame, masked (by clients) or not (RFC 6455 5.2)."""
    if length < 2 or length > WEBSOCKET_LONGEST:
        return 0
    size = buf[at + 1]
    if (size < 0x80 and length == 2 + size) or (size >= 0x80 and length == 6 + (size & 0x7F)):
        return 1 if buf[at] == WEBSOCKET_PING else 1 | HEARTBEAT_REPLY
    return 0


@kernel
def is_there(buf: Buffer, at: int, word: int, count: int) -> bool:
    """Whether these bytes are those of PATTERNS from one of its words on."""
    same = 0
    while same < count and (PATTERNS[word + same] < 0 or PATTERNS[word + same] == buf[at + same]):
        same += 1
    return same == count


@kernel
def number_there(buf: Buffer, at: int, pattern: int) -> int:
    """The number in a payload, in network order, as the upper bits of its word; 0 where the row has none."""
    value = 0
    for place in range(PATTERNS[pattern + 6]):
        value = value << 8 | buf[at + PATTERNS[pattern + 5] + place]
    return value << SAYS_VALUE


@kernel
def row_payload(buf: Buffer, at: int, length: int) -> int:
    """As `heartbeat_payload`, by the rows of PATTERNS."""
    for pattern in range(PATTERNS_FROM[buf[at]], PATTERNS_FROM[buf[at] + 1], PATTERN_SIZE):
        if PATTERNS[pattern + 1] <= length <= PATTERNS[pattern + 2]:
            begins, needle = PATTERNS[pattern + 3], PATTERNS[pattern + 4]
            if is_there(buf, at, pattern + PATTERN_HEAD, begins):
                last = at + length - needle if needle > 0 else at + begins
                for place in range(at + begins, last + 1):
                    if is_there(buf, place, pattern + PATTERN_HEAD + begins, needle):
                        return PATTERNS[pattern] | number_there(buf, at, pattern)
    return 0


@kernel
def http2_payload(buf: Buffer, at: int, length: int) -> int:
    """As `heartbeat_payload`, for PINGs of HTTP/2, or replies to some, with other frames that carry nothing of a call.

    gRPC holds WINDOW_UPDATEs back until it sends something else.
    """
    place, found = 0, 0
    while place + HTTP2_HEADER <= length:
        size = buf[at + place] << 16 | buf[at + place + 1] << 8 | buf[at + place + 2]
        kind, end = buf[at + place + 3], place + HTTP2_HEADER + size
        if end > length or (kind != HTTP2_SETTINGS and kind != HTTP2_PING and kind != HTTP2_WINDOW_UPDATE):
            return 0
        if kind == HTTP2_PING and (found == 0 or found & HEARTBEAT_REPLY):
            word = row_payload(buf, at + place, end - place)
            found = word if word != 0 else found
        place = end
    return found if place == length else 0


@kernel
def heartbeat_payload(buf: Buffer, at: int, length: int) -> int:
    """What a segment's whole payload is: tables.fields.HEARTBEAT."""
    if WEBSOCKET_CLOSE <= buf[at] <= WEBSOCKET_PONG:
        word = websocket_payload(buf, at, length)
        if word == 0 or buf[at] != WEBSOCKET_CLOSE:
            return word
    word = row_payload(buf, at, length)
    return http2_payload(buf, at, length) if word == 0 and buf[at] == 0 else word
