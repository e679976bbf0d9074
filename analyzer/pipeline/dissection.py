"""Heartbeats named by Wireshark's dissectors: of the connections that may have some, read a second time."""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from analyzer.capture.secrets import tls_secrets, why_useless
from analyzer.crosscheck.heartbeats import HAVE_REPLIES, Dissected, dissected
from analyzer.model.flows import SIDES, Heartbeat
from analyzer.pipeline.extraction import Sent, write_packets
from analyzer.tables.arrays import Column
from analyzer.tables.fields import BEAT, BEATS_ANSWERED, BEATS_MASK, BEATS_SENT
from analyzer.tcp import SECOND

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.model.columns import Facts

FEWEST = 2  # as of those that are known by their bytes
FRAMES_NAMED = 6


def candidates(facts: Facts, streams: Sequence[int]) -> Column:
    """Of these connections those with data that came again, as long and in time, from either end."""
    chosen = np.asarray(streams, np.int64)
    again = (facts.tracks.endpoints(BEAT, chosen) >> BEATS_SENT & BEATS_MASK >= FEWEST) | facts.beating[chosen]
    return chosen[again.any(axis=1)]


def dissect(
    analysis: Analysis, streams: Sequence[int], keylog: str | None, notify: Callable[[str], None] = lambda text: None
) -> None:
    """Have the heartbeats of these connections named by what Wireshark's dissectors find in them.

    `keylog` is a file of TLS secrets; those that the captures carry are used, too. Raises UsageError where tshark is
    missing, or where the captures were pipes that were not kept.
    """
    chosen = candidates(analysis.facts, streams)
    if not len(chosen):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidates.pcapng"
        with path.open("wb") as out:
            sent = list(write_packets(analysis, chosen.tolist(), out))
        if keylog is not None and (useless := why_useless(Path(keylog).read_bytes(), path.read_bytes())):
            notify(f"--keylog {keylog}: {useless}")
        secrets = b"\n".join(filter(None, (tls_secrets(facts.path) for facts in analysis.captures)))
        if keylog is not None and secrets:
            secrets += b"\n" + Path(keylog).read_bytes()
        if secrets:
            keys = Path(folder) / "keys.log"
            keys.write_bytes(secrets)
            keylog = str(keys)
        found = dissected(str(path), keylog, notify)
    analysis.dissected = dict(_heartbeats(sent, found, analysis.facts))


def _heartbeats(
    sent: Sequence[Sent], found: Sequence[Dissected], facts: Facts
) -> Iterator[tuple[tuple[int, int], Heartbeat]]:
    """By connection and side."""
    pings: dict[tuple[int, int, str], list[Sent]] = {}
    pongs: dict[tuple[int, int, str], list[int]] = {}
    for one in found:
        packet = sent[one.number - 1]
        side = 1 - packet.side if one.is_reply else packet.side
        key = packet.stream, side, one.protocol
        if one.is_reply:
            pongs.setdefault(key, []).append(packet.time)
        else:
            pings.setdefault(key, []).append(packet)
    for key, mine in pings.items():
        stream, side, protocol = key
        gaps = [later.time - one.time for one, later in pairwise(mine)]
        gaps = [gap for gap in gaps if gap >= SECOND]
        if gaps:
            yield (
                (stream, side),
                Heartbeat(
                    protocol=protocol,
                    sender=SIDES[side],
                    period_s=round(median(gaps) / SECOND, 3),
                    sent=len(mine),
                    # Where a dissector knows no reply, any data may have been one: as tracking has counted.
                    answered=_answered([one.time for one in mine], pongs.get(key, []))
                    if protocol in HAVE_REPLIES
                    else min(facts.tracks.endpoint(BEAT, stream, side) >> BEATS_ANSWERED & BEATS_MASK, len(mine)),
                    frames=tuple(one.frame for one in mine[:FRAMES_NAMED]),
                ),
            )


def _answered(pings: Sequence[int], pongs: Sequence[int]) -> int:
    """How many drew a reply before the next."""
    replied = {bisect_left(pings, pong) for pong in pongs}  # how many pings were sent before each reply
    return len(replied - {0})
