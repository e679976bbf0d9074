"""Sockets of another host, as `ss -tnope` printed them there (ss(8)), with `-i` its idle times too."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator

from analyzer.errors import CaptureError
from analyzer.host.owners import user_name
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Owner, Process, Socket, Timer
from analyzer.tcp import State

MAX_PORT = 0xFFFF
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
_FIELD = re.compile(
    r"\b(?:(uid|ino|lastsnd|lastrcv|lastack):(\d+)|(sk):([0-9a-f]+)|(rtt):(\d+(?:\.\d+)?)(?=/)|(retrans):\d+/(\d+))(?![\w.])"
)
_NAME = re.compile(r"[a-z][a-z0-9-]*")
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
    found = [one for row, rest in rows if (one := _socket(row, rest, path)) is not None]
    if rows and not found:
        raise CaptureError("no socket in it that can be read: its addresses are none", path=path)
    return found


def _is_empty_list(text: str) -> bool:
    return text.lstrip().startswith(("State", "Netid"))


def _socket(row: re.Match[str], rest: str, path: str) -> Socket | None:
    """None for a damaged row: the others are worth reading."""
    state = STATES[row[1]]
    local, peer = _endpoint(row[4], path), _endpoint(row[5], path)
    if local is None or peer is None:
        return None
    timer = _TIMER.search(rest)
    named = ((name, value) for found in _FIELD.findall(rest) for name, value in [filter(None, found)])
    fields: dict[str, str] = dict(named)
    # Only -o tells timers, and only -e what stands behind them: without both, no timer means nothing.
    told = timer is not None or "sk" in fields
    which, left, unanswered = Timer.NONE if told else Timer.UNKNOWN, None, 0
    if timer is not None:
        which = Timer(timer[1]) if timer[1] in set(Timer) else Timer.UNKNOWN
        left, unanswered = _seconds(timer[2]), int(timer[3])
    return Socket(
        local,
        peer,
        state,
        which,
        left,
        unanswered,
        _ago(fields, "lastrcv"),
        _ago(fields, "lastsnd"),
        _ago(fields, "lastack"),
        int(row[2]),
        int(row[3]),
        retransmissions=int(fields["retrans"]) if "retrans" in fields else None,
        rtt=float(fields["rtt"]) / 1000 if "rtt" in fields else None,
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


def _endpoint(text: str, path: str) -> Endpoint | None:
    address, _, port = text.rpartition(":")
    address = address.strip("[]").partition("%")[0].removeprefix("::ffff:")
    if address == "*":
        address = "0.0.0.0" if port == "*" else "::"
    if port == "*":
        port = "0"
    if _NAME.fullmatch(port):
        try:
            port = str(socket.getservbyname(port, "tcp"))
        except OSError as error:
            raise CaptureError(f"{text} has a name for its port: have ss print numbers (-n)", path=path) from error
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return Endpoint(address, int(port)) if port.isascii() and port.isdigit() and int(port) <= MAX_PORT else None
