"""What system an endpoint runs, as far as its packets tell: remedies speak its language."""

from __future__ import annotations

from analyzer.diagnose.phrases import how_to_probe
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow, Keepalive
from analyzer.tables.fields import ENDPOINT_SIZE, FINGERPRINT, HEAD_SIZE, TTL_HIGH

# Windows begins with a TTL of 128, Linux, the BSDs and macOS with 64, and few paths have more than 32 hops; and it
# probes with one octet.
WINDOWS_TTL = range(97, 129)
# A detection as quick as this is not made slower by advice: 60 s, and three probes 10 s apart.
IDLE, INTERVAL, COUNT = 60, 10, 3
QUICK_S = IDLE + INTERVAL * COUNT


def is_windows(facts: Facts, flow: Flow, side: int) -> bool:
    """Whether this end is likely to run Windows: by its TTL, and by the form of its probes if there are any."""
    if any(entry.sender == SIDES[side] and not entry.probe_length for entry in flow.keepalive):
        return False
    seen = int(facts.tracks.flows[flow.stream, HEAD_SIZE + side * ENDPOINT_SIZE + FINGERPRINT])
    return seen >> TTL_HIGH & 0xFF in WINDOWS_TTL


def how_to_probe_there(facts: Facts, flow: Flow, idle: int = IDLE, interval: int = INTERVAL, count: int = COUNT) -> str:
    """How to ask for keepalive at either end of a connection."""
    windows = [is_windows(facts, flow, side) for side in range(2)]
    if all(windows):
        return how_to_probe(flow.server.port, idle, interval, windows=True)
    advice = how_to_probe(flow.server.port, idle, interval, count)
    if any(windows):
        advice += f"; {how_to_probe(0, idle, interval, windows=True)}"
    return advice


def how_to_probe_by(
    facts: Facts, flow: Flow, entry: Keepalive, idle: int = IDLE, interval: int = INTERVAL, count: int = COUNT
) -> str:
    """How to set the keepalive of a prober."""
    windows = is_windows(facts, flow, SIDES.index(entry.sender))
    return how_to_probe(flow.server.port, idle, interval, count, windows=windows)


def detection(entry: Keepalive, asked: int) -> float | None:
    """After how many seconds of silence its settings notice a dead peer, as far as they are known.

    Where the count is not known, it is that of the probes that were `asked` in vain, at the least.
    """
    idle, interval, count = (
        None if one is None else one.value
        for one in (entry.tcp_keepalive_time, entry.tcp_keepalive_intvl, entry.tcp_keepalive_probes)
    )
    if idle is None or interval is None:
        return None
    return idle + interval * (count or asked)


def idle_time_there(facts: Facts, flow: Flow) -> str:
    """What sets the idle time of probes at the end that probes, or at both."""
    probers = [SIDES.index(entry.sender) for entry in flow.keepalive] or [0, 1]
    windows = [is_windows(facts, flow, side) for side in probers]
    names = ["TCP_KEEPIDLE on Linux"] if not all(windows) else []
    if any(windows):
        names.append("SIO_KEEPALIVE_VALS or the registry value KeepAliveTime on Windows")
    return ", ".join(names)


def sockets_in_close_wait(facts: Facts, flow: Flow, side: int) -> str:
    """The command that lists them on this end's host, with their processes."""
    if is_windows(facts, flow, side):
        return "netstat -ano | findstr CLOSE_WAIT"
    return "ss -tnp state close-wait; on macOS and the BSDs lsof -nP -iTCP -sTCP:CLOSE_WAIT"
