"""Sockets of another host, as `ss -tnope` printed them there (ss(8)), with `-i` its idle times too."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

from analyzer.errors import CaptureError
from analyzer.host.owners import user_name
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Owner, Process, Socket, Timer
from analyzer.tcp import State

STATES = {
    "ESTAB": State.ESTABLISHED, "SYN-SENT": State.SYN_SENT, "SYN-RECV": State.SYN_RECEIVED,
    "FIN-WAIT-1": State.FIN_WAIT_1, "FIN-WAIT-2": State.FIN_WAIT_2, "TIME-WAIT": State.TIME_WAIT,
    "CLOSE-WAIT": State.CLOSE_WAIT, "LAST-ACK": State.LAST_ACK, "CLOSING": State.CLOSING, "LISTEN": State.LISTEN,
    "UNCONN": State.CLOSED,
}  # fmt: skip
_TIMER = re.compile(r"timer:\((\w+),([^,)]*),(\d+)\)")
_USER = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+),fd=(\d+)\)')
# misc/ss.c print_ms_timer: minutes; seconds; milliseconds, behind a point where seconds come before them.
_LEFT = re.compile(r"(?:(\d+)min)?(?:(\d+)sec|(\d+)\.(\d+)ms|(\d+)ms)?")
_FIELD = re.compile(r"\b(uid|ino|sk|lastsnd|lastrcv|lastack|rtt|retrans):([^\s,]+)")
_ROW = re.compile(r"^(?:tcp\s+)?(\S+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s*(.*)$")


def read_ss(text: str, path: str = "") -> list[Socket]:
    """The sockets in what ss printed; raises CaptureError where there is none in it, or one without numbers (-n)."""
    rows: list[tuple[re.Match[str], str]] = []
    for line in text.splitlines():
        row = _ROW.match(line)
        if row is not None and row[1] in STATES:
            rows.append((row, row[6]))
        elif rows and line[:1].isspace():  # -i writes a second line
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}")
    if not rows and not _is_empty_list(text):
        raise CaptureError("no socket in it, as `ss -tnope` prints them", path=path)
    return [_socket(row, rest, path) for row, rest in rows]


def _is_empty_list(text: str) -> bool:
    return text.lstrip().startswith(("State", "Netid"))


def _socket(row: re.Match[str], rest: str, path: str) -> Socket:
    state = STATES[row[1]]
    timer = _TIMER.search(rest)
    fields = dict(_FIELD.findall(rest))
    # Only -o tells timers, and only -e what stands behind them: without both, no timer means nothing.
    told = timer is not None or "sk" in fields
    which, left, unanswered = Timer.NONE if told else Timer.UNKNOWN, None, 0
    if timer is not None:
        which = Timer(timer[1]) if timer[1] in set(Timer) else Timer.UNKNOWN
        left, unanswered = _seconds(timer[2]), int(timer[3])
    return Socket(
        _endpoint(row[4], path),
        _endpoint(row[5], path),
        state,
        which,
        left,
        unanswered,
        _ago(fields, "lastrcv"),
        _ago(fields, "lastsnd"),
        _ago(fields, "lastack"),
        int(row[2]),
        int(row[3]),
        retransmissions=int(fields["retrans"].rpartition("/")[2]) if "retrans" in fields else None,
        rtt=float(fields["rtt"].partition("/")[0]) / 1000 if "rtt" in fields else None,
        uid=int(fields["uid"]) if "uid" in fields else (0 if "ino" in fields else None),
        inode=int(fields.get("ino", 0)),
        cookie=int(fields.get("sk", "0"), 16),
        owners=tuple(_owners(rest, fields)),
    )


def _owners(rest: str, fields: dict[str, str]) -> Iterator[Owner]:
    user = user_name(int(fields["uid"])) if "uid" in fields else ""
    for command, pid, fd in _USER.findall(rest):
        yield Owner(Process(int(pid), command, user), int(fd))


def _ago(fields: dict[str, str], name: str) -> float | None:
    return int(fields[name]) / 1000 if name in fields else None


def _seconds(text: str) -> float | None:
    """`119min`, `1min36sec`, `57sec`, `1.200ms`, `204ms`; nothing, where it is about to fire."""
    found = _LEFT.fullmatch(text)
    if found is None:
        return None
    minutes, seconds, whole, part, milliseconds = (int(one or 0) for one in found.groups())
    return minutes * 60 + seconds + whole + (part + milliseconds) / 1000


def _endpoint(text: str, path: str) -> Endpoint:
    address, _, port = text.rpartition(":")
    address = address.strip("[]").partition("%")[0].removeprefix("::ffff:")
    if port == "*":
        return Endpoint("0.0.0.0" if address == "*" else address, 0)
    if not port.isdigit():
        try:
            port = str(socket.getservbyname(port, "tcp"))
        except OSError as error:
            raise CaptureError(f"{text} has a name for its port: have ss print numbers (-n)", path=path) from error
    return Endpoint("::" if address == "*" else address, int(port))
