"""Whose numbers move on, so that none of its packets can come again: acknowledgement number, timestamp, IP ID."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.pipeline.same_traffic.samples import AT, WHO
from analyzer.tables.arrays import Column, Mask
from analyzer.tables.fields import ACKNO, FLAGS, IP_ID, LEN, TIME, TSVAL
from analyzer.tcp import ACK, FIN, RST, SECOND, SYN

MOST_PLACES = 4  # so many captures of one packet at most, where its number is asked whether it moves
IDS = 1 << 16
FACTOR = -7046029254386353131  # odd: mixes words into one (Knuth, TAOCP 6.4)


def ticking(table: Column, field: int) -> Mask:
    """Which of these packets, of all captures, are numbered by a clock or a counter that goes on while its sender does.

    Each file of a ring may hold one packet of a sender: that its numbers move is seen in all of them together.
    """
    value = table[:, AT[field]]
    told = np.flatnonzero(value > 0)
    sender, second = mixed(table[told], WHO), table[told, AT[TIME]] // SECOND
    senders, group = np.unique(sender, return_inverse=True)
    moments = np.bincount(_of_distinct(sender, second, group), minlength=len(senders))
    numbers = np.bincount(_of_distinct(sender, value[told], group), minlength=len(senders))
    ticks = np.zeros(len(table), bool)
    ticks[told] = ((numbers > 1) & (numbers * MOST_PLACES >= moments))[group]
    return ticks


def _of_distinct(sender: Column, value: Column, group: Column) -> Column:
    """The groups of rows that differ in sender and value, one for each."""
    with np.errstate(over="ignore"):
        _, first = np.unique((sender ^ value) * FACTOR + sender, return_index=True)
    return np.asarray(group[first])


def moving_on(table: Column) -> Mask:
    """Which of these packets are of a connection in which the numbers of a sender move."""
    if not len(table):
        return np.zeros(0, bool)
    acknowledges = table[:, AT[FLAGS]] & ACK != 0
    sender = mixed(table, WHO)
    _, group = np.unique(sender, return_inverse=True)
    moves = np.zeros(int(group.max()) + 1, bool)
    for field in (ACKNO, TSVAL, IP_ID):
        value = table[:, AT[field]]
        told = acknowledges if field == ACKNO else value > 0
        low, high = np.full(len(moves), 1 << 62), np.full(len(moves), -(1 << 62))
        np.minimum.at(low, group[told], value[told])
        np.maximum.at(high, group[told], value[told])
        moves |= high > low
    _, connection = np.unique(connections_of(table), return_inverse=True)
    connections = np.zeros(int(connection.max()) + 1, bool)
    connections[connection[moves[group]]] = True
    return np.asarray(connections[connection])


def came_round(table: Column, ahead: int) -> bool:
    """Whether nothing but IP IDs moves, on what comes again, and these may have come round since: they have 16 bits."""
    if (table[:, AT[LEN]] > 1).any() or (table[:, AT[FLAGS]] & (SYN | FIN | RST) != 0).any():
        return False
    table = table[np.argsort(table[:, AT[TIME]], kind="stable")]
    sender = mixed(table, WHO)
    for one in np.unique(sender).tolist():
        mine = table[sender == one]
        acks = mine[mine[:, AT[FLAGS]] & ACK != 0][:, AT[ACKNO]]
        if len(np.unique(mine[:, AT[TSVAL]])) > 1 or len(np.unique(acks)) > 1:
            return False
        differences = np.diff(mine[:, AT[IP_ID]]) % IDS
        if len(np.unique(differences)) > 2:
            return False  # of a counter that others move as well the same steps do not come again
        steps = int(differences.sum())
        took = int(mine[-1, AT[TIME]] - mine[0, AT[TIME]])
        # Of one packet nothing tells the pace; an idle connection sends less than four a second.
        if abs(ahead) < 0.9 * IDS * (took / steps if steps else SECOND / 4):
            return False
    return True


def connections_of(table: Column) -> Column:
    """A number for the connection of each packet, whoever sent it."""
    source, target = mixed(table, WHO[:3]), mixed(table, WHO[3:])
    with np.errstate(over="ignore"):
        return np.asarray(source + target)


def mixed(table: Column, fields: Sequence[int]) -> Column:
    """One word made of these fields of each row."""
    word = np.zeros(len(table), np.int64)
    with np.errstate(over="ignore"):
        for field in fields:
            word = (word ^ table[:, AT[field]]) * FACTOR
            word ^= word >> 29
    return word
