"""The finding answer-dropped-on-host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import Claim, survey
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES
from analyzer.model.quantities import connections
from analyzer.model.words import ProbeKind
from analyzer.tables.arrays import Column
from analyzer.tables.fields import ANSWER, ANSWER_ACK, ANSWER_FRAME, ANSWER_TIME, PROBE_FRAME, PROBE_MARKS, PROBE_TIME
from analyzer.tcp import LATE_PART, SECOND

if TYPE_CHECKING:
    from analyzer.model.sockets import Held

# A single reply may be lost, and one to the newest probe may be on its way still.
FEWEST = 2
ON_ITS_WAY_NS = 50_000_000


class _Dropped(NamedTuple):
    """A connection whose probes its host takes for unanswered, and the replies that were captured."""

    stream: int
    side: int
    unanswered: int
    at: int
    frames: tuple[int, ...]


@survey(
    "answer-dropped-on-host",
    severity="high",
    title="{whom} dropped replies to its own keepalive probes on {connections}",
    moment="captured reply",
)
def answer_dropped_on_host(context: Context) -> Iterator[Claim]:
    """The host drops replies to its own keepalive probes.

    The kernel counts at least two probes in a row without a reply (`ss -tno` shows the count), and the capture has a
    reply to each of them. So the replies reached the capture point, and not the socket: a firewall on the host
    (nftables, iptables), reverse path filtering (rp_filter), or a wrong checksum. When the probes are used up, the
    kernel closes a connection whose peer is alive. Only `analyze --sockets` and `live` on this host can tell.

    Look at: the counters of `nft list ruleset` or `iptables -vnL`, and `nstat -az TcpExtIPReversePathFilter
    TcpInCsumErrors` on that host. Where the capture was made elsewhere, the path between the two may drop them, too.

    Let packets of established connections in before any rule that drops: `ct state established,related accept`.
    """
    by_host: dict[str, list[_Dropped]] = {}
    for one in _dropped(context.facts):
        by_host.setdefault(context.ends(one.stream)[one.side].address, []).append(one)
    for host, some in by_host.items():
        most, who = max(one.unanswered for one in some), context.processes([one.stream for one in some])
        yield Claim(
            summary=f"{host} dropped replies to its own keepalive probes on {connections(len(some))}"
            f"{f' of {who}' if who else ''}: its kernel counts {most} probes in a row without a reply, and the capture "
            f"has the replies",
            remedy=f"Find the rule on {host} that drops them: firewall counters (nft list ruleset, iptables -vnL), "
            "rp_filter, or checksum errors (nstat -az). Accept packets of established connections before other rules.",
            frames=tuple(frame for one in some for frame in one.frames),
            observed=f"{most} unanswered probes in the kernel's list of sockets, and replies to them in the capture",
            expected="a reply that reaches the socket sets the count to 0",
            source="Linux net/ipv4/tcp_input.c tcp_ack: icsk_probes_out = 0; inet_diag",
            confidence="likely",
            streams=tuple(one.stream for one in some),
            at=min(one.at for one in some),
            whom=host,
        )


def _dropped(facts: Facts) -> Iterator[_Dropped]:
    from analyzer.model.sockets import Timer

    for stream, several in facts.held.items():
        for held in several:
            socket, side = held.socket, SIDES.index(held.side)
            if socket.timer is not Timer.KEEPALIVE or socket.unanswered < FEWEST:
                continue
            rows = _replies(facts, 2 * stream + side, held)
            if len(rows) and (rows[:, PROBE_MARKS] & ANSWER == ANSWER_ACK).all():
                frames = tuple(rows[:, (PROBE_FRAME, ANSWER_FRAME)].reshape(-1).tolist())
                yield _Dropped(stream, side, socket.unanswered, int(rows[0, ANSWER_TIME]), frames)


def _replies(facts: Facts, prober: int, held: Held) -> Column:
    """The last probes whose replies the kernel should have had when it was asked, as many as are enough, or none."""
    asked, left, log = held.sighting.at, held.socket.timer_left, facts.tracks.probes
    if asked is None or left is None:
        return log[:0]
    mine = (facts.prober == prober) & (facts.probe_kind == ProbeKind.KEEPALIVE)
    sent = log[np.flatnonzero(mine & (log[:, PROBE_TIME] <= asked))]
    rows = sent[sent[:, PROBE_TIME] <= asked - ON_ITS_WAY_NS]
    if len(rows) < FEWEST or held.socket.unanswered < FEWEST + len(sent) - len(rows):
        return log[:0]
    rows = rows[-FEWEST:]
    if (rows[:, ANSWER_TIME] > asked).any():
        return log[:0]
    interval = int(rows[-1, PROBE_TIME] - rows[-2, PROBE_TIME])
    # Else the kernel has sent more since the capture ended, or was asked at another time than is said.
    late = int(sent[-1, PROBE_TIME]) + interval - (asked + round(left * SECOND))
    return rows if abs(late) <= interval // LATE_PART + SECOND else log[:0]
