"""TCP as RFC 9293 defines it: header flags, option kinds, and the connection state machine as one table."""

from __future__ import annotations

from enum import IntEnum

# Times are in nanoseconds.
SECOND = 1_000_000_000
NANO_DIGITS = 9  # decimals of a second
# What a keepalive timer lets pass at least: 1 s (Linux TCP_KEEPIDLE and TCP_KEEPINTVL). Timers do not fire early by
# more than a tick; a tenth is left for what the path adds between the prober and the capture.
SHORTEST_TIMER_NS = SECOND - SECOND // 10
# A timer of Linux fires late by this part of its time at most: the wheel rounds it up (kernel/time/timer.c).
LATE_PART = 8

# Header flags (RFC 9293 3.1).
FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10

# Option kinds (IANA "TCP Option Kind Numbers").
OPTION_END = 0
OPTION_NOP = 1
OPTION_MSS = 2
OPTION_WSCALE = 3
OPTION_SACK_PERMITTED = 4
OPTION_SACK = 5
OPTION_TIMESTAMPS = 8

# What a segment's options held, as bits: part of the fingerprint of a sender.
HAS_MSS = 0x01
HAS_WSCALE = 0x02
HAS_SACK_PERMITTED = 0x04
HAS_SACK = 0x08
HAS_DSACK = 0x10  # RFC 2883: the first SACK block lies below the acknowledgement number
HAS_TIMESTAMPS = 0x20
HAS_OTHER = 0x40
OPTIONS_CUT = 0x80  # the snaplen ended before the options did


class State(IntEnum):
    """The states of RFC 9293 3.3.2; `UNKNOWN` where the capture cannot tell."""

    UNKNOWN = 0
    CLOSED = 1
    LISTEN = 2
    SYN_SENT = 3
    SYN_RECEIVED = 4
    ESTABLISHED = 5
    FIN_WAIT_1 = 6
    FIN_WAIT_2 = 7
    CLOSE_WAIT = 8
    CLOSING = 9
    LAST_ACK = 10
    TIME_WAIT = 11

    @property
    def label(self) -> str:
        """The name as RFC 9293 prints it: `FIN-WAIT-1`."""
        return self.name.replace("_", "-")


class Event(IntEnum):
    """What moves an endpoint, as far as a capture shows it.

    Sending is seen. Receiving is not: a SYN or FIN counts as received when the endpoint acknowledges it. An
    acknowledgement or a reset is never acknowledged itself and counts as received at once, but for a reset that
    follows unanswered segments (`RESET_IN_DOUBT`): nothing shows that it arrived where they did not.
    """

    SENT_SYN = 0
    SENT_SYN_ACK = 1
    SENT_SEGMENT = 2  # anything else with ACK: the sender's connection is synchronised
    RCVD_ACK_OF_SYN = 3
    SENT_FIN = 4
    RCVD_FIN = 5
    RCVD_ACK_OF_FIN = 6
    SENT_RST = 7
    RCVD_RST = 8
    RESET_IN_DOUBT = 9


# RFC 9293 figure 5, read from outside. A pair that is not listed changes nothing. UNKNOWN has rows of its own: they
# are how an endpoint is picked up in mid-stream.
TRANSITIONS: dict[State, dict[Event, State]] = {
    State.UNKNOWN: {
        Event.SENT_SYN: State.SYN_SENT,
        Event.SENT_SYN_ACK: State.SYN_RECEIVED,
        Event.SENT_SEGMENT: State.ESTABLISHED,
        Event.SENT_FIN: State.FIN_WAIT_1,
        Event.RCVD_FIN: State.CLOSE_WAIT,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
    },
    State.CLOSED: {},
    State.LISTEN: {},
    State.SYN_SENT: {
        Event.SENT_SYN_ACK: State.SYN_RECEIVED,
        Event.SENT_SEGMENT: State.ESTABLISHED,
        Event.SENT_FIN: State.FIN_WAIT_1,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
    },
    State.SYN_RECEIVED: {
        Event.SENT_SEGMENT: State.ESTABLISHED,
        Event.RCVD_ACK_OF_SYN: State.ESTABLISHED,
        Event.SENT_FIN: State.FIN_WAIT_1,
        Event.RCVD_FIN: State.CLOSE_WAIT,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.ESTABLISHED: {
        Event.SENT_FIN: State.FIN_WAIT_1,
        Event.RCVD_FIN: State.CLOSE_WAIT,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.FIN_WAIT_1: {
        Event.RCVD_ACK_OF_FIN: State.FIN_WAIT_2,
        Event.RCVD_FIN: State.CLOSING,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.FIN_WAIT_2: {
        Event.RCVD_FIN: State.TIME_WAIT,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.CLOSE_WAIT: {
        Event.SENT_FIN: State.LAST_ACK,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.CLOSING: {
        Event.RCVD_ACK_OF_FIN: State.TIME_WAIT,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.LAST_ACK: {
        Event.RCVD_ACK_OF_FIN: State.CLOSED,
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
        Event.RESET_IN_DOUBT: State.UNKNOWN,
    },
    State.TIME_WAIT: {
        Event.SENT_RST: State.CLOSED,
        Event.RCVD_RST: State.CLOSED,
    },
}

EVENTS = len(Event)
# The same table for kernels: NEXT_STATE[state * EVENTS + event].
NEXT_STATE = tuple(int(TRANSITIONS[state].get(event, state)) for state in State for event in Event)
