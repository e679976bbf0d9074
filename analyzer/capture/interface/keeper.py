"""A small process that keeps the rights which the parsing one gives up: it starts what captures, and parses nothing.

It is forked before anything is read, and all that it may be asked for is fixed then: which commands, and the
directory of a ring. It is asked over a socket, hands over descriptors, and ends with all its children when that
socket closes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
from typing import Any

from analyzer.capture.interface.processes import Children, Commands
from analyzer.capture.ring import Folder

START, START_WITHOUT_VLAN, STOP, REAP, NEXT_FILE, ASK = range(6)
REQUEST = struct.Struct("=BH")  # what, and the place of the interface among all
ANSWER = struct.Struct("=ii")  # errno, or 0; a status
UNKNOWN_STATUS = -(1 << 31)
CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Keeper:
    """As `Children` and `Directory`, for a process that has no rights: each call asks the one that has."""

    def __init__(self, commands: Commands, folder: Folder | None) -> None:
        """Fork it: there must be no threads yet."""
        self.names = list(commands)
        self._socket, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        self._process = os.fork()
        if not self._process:
            try:
                _leave_all_but(theirs, folder)
                _serve(theirs, Children(commands), folder)
            finally:
                os._exit(0)
        theirs.close()

    def start(self, name: str, *, vlan: bool) -> tuple[int, int]:
        """See `Capturers`."""
        _, (output, errors) = self._ask(START if vlan else START_WITHOUT_VLAN, name)
        return output, errors

    def ask(self, name: str) -> None:
        """See `Capturers`."""
        self._ask(ASK, name)

    def stop(self, name: str) -> None:
        """See `Capturers`."""
        self._ask(STOP, name)

    def reap(self, name: str) -> int | None:
        """See `Capturers`."""
        try:
            status, _ = self._ask(REAP, name)
        except ConnectionError:
            return None
        return None if status == UNKNOWN_STATUS else status

    def next_file(self) -> int:
        """See `Directory`."""
        _, [descriptor] = self._ask(NEXT_FILE)
        return descriptor

    def close(self) -> None:
        """Have it end, and all its children."""
        self._socket.close()
        os.waitpid(self._process, 0)

    def _ask(self, what: int, name: str | None = None) -> tuple[int, list[int]]:
        """What it answers: a status, and descriptors. Raises OSError; ConnectionError when it is not there any more."""
        request = REQUEST.pack(what, 0 if name is None else self.names.index(name))
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(request)
        try:
            answer, descriptors, _, _ = socket.recv_fds(self._socket, ANSWER.size, 2, CLOSE_ON_EXEC)
        except ConnectionError:
            answer, descriptors = b"", []
        if len(answer) < ANSWER.size:
            raise ConnectionAbortedError("the process with the right to capture has ended")
        error, status = ANSWER.unpack(answer)
        if error:
            raise OSError(error, os.strerror(error))
        return status, descriptors


def _leave_all_but(client: socket.socket, folder: Folder | None) -> None:
    """Have nothing of what the parsing process has, and take no signals that are meant for it."""
    os.setsid()  # those of its terminal
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _not_for_us)  # a handler: what is ignored stays so in the children
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    kept = {client.fileno()} | ({folder.descriptor} if folder is not None and folder.descriptor is not None else set())
    start = 3
    for descriptor in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(start, descriptor)
        start = descriptor + 1


def _not_for_us(number: int, frame: Any) -> None:
    """It ends when the parsing process does, which has time to read what is captured until then."""


def _serve(client: socket.socket, children: Children, folder: Folder | None) -> None:
    """Answer until the other end closes; what is no request ends it, too."""
    try:
        while request := client.recv(REQUEST.size, socket.MSG_WAITALL):
            what, place = REQUEST.unpack(request)
            try:
                status, descriptors = _do(what, place, children, folder)
            except OSError as error:
                client.sendall(ANSWER.pack(error.errno or -1, 0))
                continue
            socket.send_fds(client, [ANSWER.pack(0, status)], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
    finally:
        children.close()


def _do(what: int, place: int, children: Children, folder: Folder | None) -> tuple[int, list[int]]:
    """What was asked for: a status, and descriptors to hand over."""
    if what == NEXT_FILE and folder is not None:
        return 0, [folder.next_file()]
    name = children.names[place]
    if what in (START, START_WITHOUT_VLAN):
        return 0, [*children.start(name, vlan=what == START)]
    if what in (STOP, ASK):
        (children.stop if what == STOP else children.ask)(name)
        return 0, []
    if what == REAP:
        status = children.reap(name)
        return UNKNOWN_STATUS if status is None else status, []
    raise ValueError(what)
