"""The sockets of a connection's ends, as their kernels have them: in JSON, and in words."""

from __future__ import annotations

import json

from analyzer.model.sockets import Held, Timer
from analyzer.report.socket_records import record

FIELDS = (
    "state", "timer", "timer_left_s", "unanswered", "keepalive", "idle_s", "pid", "fd", "process", "user",
    "tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes",
)  # fmt: skip


def held_text(one: Held) -> str:
    """One element of a flow's `sockets`, in JSON."""
    known = record(one.socket)
    return json.dumps({"side": one.side} | {name: known[name] for name in FIELDS})


def held_words(one: Held) -> str:
    """`python3 (pid 12, fd 4): ESTABLISHED, keepalive on 60/5/3, next probe in 42.0 s`."""
    socket, options = one.socket, one.socket.options
    keepalive = {True: "keepalive on", False: "keepalive off", None: "keepalive not known"}[socket.keepalive]
    if options is not None and options.keepalive:
        keepalive += f" {options.idle}/{options.interval}/{options.probes}"
    parts = [socket.state.label, keepalive]
    if socket.timer is Timer.KEEPALIVE and socket.timer_left is not None and socket.keepalive:
        parts.append(f"next probe in {socket.timer_left:.1f} s")
    if socket.unanswered:
        what = "probes" if socket.timer is Timer.KEEPALIVE else "retransmissions"
        parts.append(f"no reply to {socket.unanswered} {what}")
    if one.sighting.gone:
        parts.append("closed since")
    return f"{one.process or 'process not known'}: {', '.join(parts)}"
