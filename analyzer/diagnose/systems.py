"""What system an endpoint runs, as far as its packets tell: remedies name its commands and settings."""

from __future__ import annotations

from analyzer.knowledge.snippets import Timing
from analyzer.model.columns import Facts
from analyzer.model.flows import SIDES, Flow
from analyzer.tables.fields import FINGERPRINT, TTL_HIGH

# Windows begins with a TTL of 128, Linux, the BSDs and macOS with 64, and few paths have more than 32 hops; and it
# probes with one byte.
WINDOWS_TTL = range(97, 129)
# Microsoft: IPPROTO_TCP socket options, SIO_KEEPALIVE_VALS; the registry values are those of all sockets.
_WINDOWS = (
    "Windows 10 1709 or later: socket options TCP_KEEPIDLE {0} and TCP_KEEPINTVL {1}; older: WSAIoctl with "
    "SIO_KEEPALIVE_VALS ({2} and {3} ms); all sockets with SO_KEEPALIVE: registry values KeepAliveTime {2} and "
    "KeepAliveInterval {3} (ms) under HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters"
)
_WINDOWS_SERVICES = {1433: "SQL Server: Keep Alive {2} (ms) in Configuration Manager, protocol TCP/IP; "}


def is_windows(facts: Facts, flow: Flow, side: int) -> bool:
    """Whether this end is likely to run Windows: by its TTL, and by the form of its probes if there are any."""
    if any(entry.sender == SIDES[side] and not entry.probe_length for entry in flow.keepalive):
        return False
    return facts.tracks.endpoint(FINGERPRINT, flow.stream, side) >> TTL_HIGH & 0xFF in WINDOWS_TTL


def windows_settings(port: int, timing: Timing) -> str:
    """What sets keepalive on Windows, where the count is 10 and cannot be set before 1703."""
    idle, interval = timing.idle, timing.interval
    return (_WINDOWS_SERVICES.get(port, "") + _WINDOWS).format(idle, interval, idle * 1000, interval * 1000)


def sockets_in_close_wait(facts: Facts, flow: Flow, side: int) -> str:
    """The command that lists them on this end's host, with their processes."""
    if is_windows(facts, flow, side):
        return "netstat -ano | findstr CLOSE_WAIT"
    return "ss -tnp state close-wait; on macOS and the BSDs lsof -nP -iTCP -sTCP:CLOSE_WAIT"
