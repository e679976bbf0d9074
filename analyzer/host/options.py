"""The keepalive options of sockets that other processes hold: asked of the socket itself (pidfd_getfd(2))."""

from __future__ import annotations

import ctypes
import os
import socket

from analyzer.model.sockets import Options

# The number of pidfd_getfd on every architecture but alpha (asm-generic/unistd.h), since Linux 5.6.
_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


def read_options(pid: int, fd: int) -> Options | None:
    """What a socket has set; None where the kernel does not let us look: it takes the rights of ptrace(2).

    For an instant this process holds the socket, too: if its owner closes it then, its FIN comes that much later.
    """
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        borrowed = _libc.syscall(_PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)
    if borrowed < 0:
        return None
    try:
        with socket.socket(fileno=borrowed) as sock:
            on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            return Options(bool(on), *(sock.getsockopt(socket.IPPROTO_TCP, name) for name in names))
    except OSError:  # another descriptor has its number by now
        return None
