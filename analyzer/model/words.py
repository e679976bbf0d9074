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

    COMPLETE = 0
    NO_ANSWER = 1
    REFUSED = 2
    PARTIAL = 3
    SIMULTANEOUS = 4
    NOT_CAPTURED = 5


class How(IntEnum):
    """How a connection ended."""

    OPEN = 0
    FIN = 1
    RST = 2
    HALF_CLOSED = 3
    NO_ANSWER = 4
    REFUSED = 5
    TIMEOUT = 6


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
