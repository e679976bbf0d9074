"""What rows of the flow table say of packets, in columns."""

from __future__ import annotations

import numpy as np

from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import (
    CLIENT_IS_LOW,
    KEY_PORTS,
    LOW_HI,
    LOW_LO,
    ROLES,
    SPORT,
    SRC_HI,
    SRC_LO,
    STREAM,
)


def by_server(rows: Column, flows: Column) -> Mask:
    """Which of these packets the server of their connection sent, as the flow table at the end has it."""
    heads = flows[rows[:, STREAM]]
    low = (
        (rows[:, SRC_HI] == heads[:, LOW_HI])
        & (rows[:, SRC_LO] == heads[:, LOW_LO])
        & (rows[:, SPORT] == heads[:, KEY_PORTS] >> 16)
    )
    return np.asarray(low ^ (heads[:, ROLES] & CLIENT_IS_LOW != 0))
