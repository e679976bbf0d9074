"""Plan the conversations of a synthetic capture: who talks to whom, for how many packets, and when."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.void]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

CLIENT, SERVER = 0, 1
SECOND_NS = 1_000_000_000
CAPTURE_NS = 3600 * SECOND_NS
HANDSHAKE_PACKETS = 3
CLOSE_PACKETS = 3
SHORTEST_BODY = 3
SERVER_HOSTS = 300
SERVER_PORTS = (5432, 6379, 443, 9092)
# net.ipv4.ip_local_port_range of Linux.
FIRST_EPHEMERAL_PORT, EPHEMERAL_PORTS = 32768, 28232

# One row per connection; the pairs are indexed by side, CLIENT or SERVER.
CONNECTION = np.dtype(
    [
        ("start_ns", "i8"),
        ("think_ns", "i8"),
        ("rtt_ns", "i8"),
        ("body", "i8"),
        ("answered_probes", "i8"),
        ("unanswered_probes", "i8"),
        ("period_ns", "i8"),
        ("intvl_ns", "i8"),
        ("probing", "?"),
        ("closes", "?"),
        ("prober", "u1"),
        ("address", "u4", (2,)),
        ("port", "u2", (2,)),
        ("iss", "u4", (2,)),
        ("tsval", "u4", (2,)),
        ("ip_id", "u2", (2,)),
    ]
)


class KeepaliveSysctls(NamedTuple):
    """net.ipv4.tcp_keepalive_time and tcp_keepalive_intvl in seconds, tcp_keepalive_probes as a count."""

    time: int
    intvl: int
    probes: int


KEEPALIVE_SYSCTLS = (
    KeepaliveSysctls(15, 15, 9),
    KeepaliveSysctls(30, 10, 9),
    KeepaliveSysctls(60, 10, 9),
    KeepaliveSysctls(75, 75, 9),
)


def timer_wheel_ns(seconds: int) -> int:
    """Return when a Linux timer of so many seconds fires at HZ=250, in nanoseconds.

    A timer re-armed as it fires lands on the next slot of its wheel level, whose slots are 8**level
    jiffies wide (kernel/time/timer.c, calc_index): 15 s becomes 15.104 s, 75 s becomes 75.776 s.
    """
    jiffies, width = seconds * 250, 1
    while jiffies >= 63 * width:
        width *= 8
    return (jiffies // width + 1) * width * 4_000_000


def packet_counts(connections: Table) -> Integers:
    """Return how many packets each connection has, shape (connections,)."""
    dead = connections["unanswered_probes"] > 0
    counts: Integers = (
        HANDSHAKE_PACKETS
        + connections["body"]
        + 2 * connections["answered_probes"]
        + connections["unanswered_probes"]
        + dead
        + CLOSE_PACKETS * connections["closes"]
    )
    return counts


def plan_conversations(packets: int, connections: int, seed: int) -> Table:
    """Return one CONNECTION row per connection, together exactly so many packets."""
    rng = np.random.default_rng([seed, 0])
    plan = np.zeros(connections, dtype=CONNECTION)
    choose_roles(rng, plan)
    choose_endpoints(rng, plan)
    plan_probes(rng, plan, packets // connections)
    plan_bodies(rng, plan, packets)
    plan_times(rng, plan)
    return plan


def choose_roles(rng: np.random.Generator, plan: Table) -> None:
    """Make one connection in ten a prober, one prober in twenty-five lose its peer, and most close by FIN."""
    shuffled = rng.permutation(len(plan))
    probers = shuffled[: len(plan) // 10]
    dead = probers[: max(min(1, len(probers)), len(probers) // 25)]
    plan["probing"][probers] = True
    plan["closes"] = rng.random(len(plan)) < 0.7
    plan["closes"][dead] = False
    plan["prober"] = rng.integers(CLIENT, SERVER + 1, len(plan))
    sysctls = rng.integers(0, len(KEEPALIVE_SYSCTLS), len(plan))
    plan["period_ns"] = np.array([timer_wheel_ns(s.time) for s in KEEPALIVE_SYSCTLS])[sysctls]
    plan["intvl_ns"] = np.array([timer_wheel_ns(s.intvl) for s in KEEPALIVE_SYSCTLS])[sysctls]
    unanswered = np.array([s.probes for s in KEEPALIVE_SYSCTLS])[sysctls]
    plan["unanswered_probes"][dead] = unanswered[dead]


def choose_endpoints(rng: np.random.Generator, plan: Table) -> None:
    """Give every connection addresses, ports and initial counters, no two the same four-tuple."""
    count = len(plan)
    hosts = max(1, count // 5)
    client_hosts = rng.choice(1 << 24, hosts, replace=False).astype(np.uint32) | np.uint32(0x0A000000)
    server_hosts = rng.choice(1 << 16, SERVER_HOSTS, replace=False).astype(np.uint32) | np.uint32(0xAC100000)
    client, round_of_client = np.arange(count) % hosts, np.arange(count) // hosts
    server = rng.integers(0, SERVER_HOSTS, count)
    first_port = rng.integers(0, EPHEMERAL_PORTS, hosts)
    plan["address"] = np.stack([client_hosts[client], server_hosts[server]], axis=1)
    plan["port"][:, CLIENT] = FIRST_EPHEMERAL_PORT + (first_port[client] + round_of_client) % EPHEMERAL_PORTS
    plan["port"][:, SERVER] = np.array(SERVER_PORTS)[server % len(SERVER_PORTS)]
    plan["iss"] = rng.integers(0, 1 << 32, (count, 2))
    plan["tsval"] = rng.integers(0, 1 << 32, (count, 2))
    plan["ip_id"] = rng.integers(0, 1 << 16, (count, 2))


def plan_probes(rng: np.random.Generator, plan: Table, mean_packets: int) -> None:
    """Give the probing connections a short body, and answered probes up to about the mean packet count."""
    probing = plan["probing"]
    plan["body"][probing] = SHORTEST_BODY * rng.integers(1, 3, len(plan))[probing]
    wanted = mean_packets * rng.uniform(0.5, 1.5, len(plan)) - packet_counts(plan)
    room_ns = CAPTURE_NS - 60 * SECOND_NS - (plan["unanswered_probes"] + 1) * plan["intvl_ns"]
    most = room_ns // plan["period_ns"] - 2
    pairs = np.clip(wanted // 2, 2, most).astype(np.int64)
    plan["answered_probes"][probing] = pairs[probing]


def plan_bodies(rng: np.random.Generator, plan: Table, packets: int) -> None:
    """Share the packets that are left among the other connections, a few of them getting most."""
    busy = ~plan["probing"]
    plan["body"][busy] = SHORTEST_BODY
    spare = packets - int(packet_counts(plan).sum())
    if spare < 0:
        raise ValueError(f"{packets} packets are too few for {len(plan)} connections, lacking {-spare}")
    weight = rng.lognormal(0.0, 1.0, int(busy.sum()))
    ends = np.rint(np.cumsum(weight) * (spare / weight.sum())).astype(np.int64)
    plan["body"][busy] += np.diff(ends, prepend=0)


def plan_times(rng: np.random.Generator, plan: Table) -> None:
    """Spread the connections over the capture: start, round-trip time and total think time, nanoseconds."""
    count, probing = len(plan), plan["probing"]
    plan["rtt_ns"] = np.clip(rng.lognormal(np.log(2e6), 1.0, count), 2e5, 5e7)
    busy_start = rng.uniform(0.0, 0.9, count) * CAPTURE_NS
    busy_think = (CAPTURE_NS - busy_start) * rng.uniform(0.3, 0.95, count)
    # Shorter than any keepalive period, so that no probe is due while the two sides still talk.
    idle_think = rng.uniform(0.5, 5.0, count) * SECOND_NS
    plan["start_ns"] = np.where(probing, idle_start(rng, plan, idle_think), busy_start)
    plan["think_ns"] = np.where(probing, idle_think, busy_think)


def idle_start(rng: np.random.Generator, plan: Table, think_ns: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return a start that leaves room for all probes; one left open probes until the capture ends."""
    probing_ns = (plan["answered_probes"] + 1) * plan["period_ns"]
    dying_ns = (plan["unanswered_probes"] + 1) * plan["intvl_ns"]
    latest = CAPTURE_NS - think_ns - probing_ns - dying_ns * (plan["unanswered_probes"] > 0) - SECOND_NS
    ends_early = plan["closes"] | (plan["unanswered_probes"] > 0)
    share = rng.random(len(plan))
    start: npt.NDArray[np.float64] = np.where(ends_early, latest * share, latest + share * plan["period_ns"])
    return start
