"""What a probe, a beginning, an ending or an idle gap turned out to be: the words of columns and of output."""

from __future__ import annotations

from enum import IntEnum


class ProbeKind(IntEnum):
    """What a row of the probe log turned out to be."""

    NOT_A_PROBE = 0
    KEEPALIVE = 1
    ZERO_WINDOW = 2


class Handshake(IntEnum):
    """How a connection began."""

    COMPLETE = 0  # SYN, SYN-ACK and an ACK of it
    NO_ANSWER = 1  # a SYN, and nothing of the other end
    REFUSED = 2  # an RST in answer to the SYN
    PARTIAL = 3  # some of it
    SIMULTANEOUS = 4  # a SYN of either end; whether each was acknowledged is another question
    NOT_CAPTURED = 5  # the connection is older than the capture


class How(IntEnum):
    """How a connection ended."""

    OPEN = 0  # not at all, as far as the capture shows
    FIN = 1  # of both ends
    RST = 2
    HALF_CLOSED = 3  # a FIN of one end
    NO_ANSWER = 4  # to the SYN
    REFUSED = 5
    TIMEOUT = 6  # what was sent again and again was given up, without an RST


class Why(IntEnum):
    """Why a connection was reset."""

    NONE = 0
    KEEPALIVE_EXHAUSTED = 1
    REPLY_TO_PROBE = 2
    REPLY_TO_DATA = 3
    ABORT = 4


class Outcome(IntEnum):
    """How an idle gap with probes in it ended."""

    ANSWERED = 0
    RECOVERED = 1
    RESET = 2
    TIMED_OUT = 3
    CLOSED = 4
    OPEN = 5
