"""What rows of the flow table say of packets, in columns."""

from __future__ import annotations

import numpy as np

from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    BEAT,
    BEAT_LENGTH,
    BEAT_PROTOCOL,
    CLIENT_IS_LOW,
    ENDPOINT_SIZE,
    HEAD_SIZE,
    HEARTBEAT,
    KEY_PORTS,
    KIND,
    LEN,
    LOW_HI,
    LOW_LO,
    ROLES,
    SPORT,
    SRC_HI,
    SRC_LO,
    STREAM,
)
from analyzer.tables.heartbeats import HEARTBEAT_PROTOCOL, HEARTBEAT_REPLY


def by_server(rows: Column, flows: Column) -> Mask:
    """Which of these packets the server of their connection sent, as the flow table at the end has it."""
    heads = flows[rows[:, STREAM]]
    low = (
        (rows[:, SRC_HI] == heads[:, LOW_HI])
        & (rows[:, SRC_LO] == heads[:, LOW_LO])
        & (rows[:, SPORT] == heads[:, KEY_PORTS] >> 16)
    )
    return np.asarray(low ^ (heads[:, ROLES] & CLIENT_IS_LOW != 0))


def are_heartbeats(rows: Column, flows: Column, beating: Mask) -> Mask:
    """Which of these packets are heartbeats of an end of which `beating`, (flows, 2), says that it sends some."""
    stream, side = rows[:, STREAM], by_server(rows, flows).astype(np.int64)
    beat = flows[stream, HEAD_SIZE + ENDPOINT_SIZE * side + BEAT]
    protocol, payload = beat >> BEAT_PROTOCOL, rows[:, HEARTBEAT]
    known = (payload & HEARTBEAT_PROTOCOL == protocol) & (payload & HEARTBEAT_REPLY == 0)
    in_rhythm = rows[:, LEN] == beat >> BEAT_LENGTH & 0xFF
    return np.asarray((rows[:, KIND] == 0) & beating[stream, side] & np.where(protocol > 0, known, in_rhythm))
