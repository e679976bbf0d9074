"""A command on a terminal of its own, as its user sees it and presses keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence

from commands import KEEPALIVE, environment

LONGEST_S = 60  # what is awaited and does not come would be awaited for ever
ALTERNATE_SCREEN, AND_BACK = b"\x1b[?1049h", b"\x1b[?1049l"


class Tty:
    """A command on a terminal of its own; its standard input is a pipe."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self.seen = b""

    def until(self, wanted: bytes) -> bytes:
        """What is shown until that is; looked for from the beginning, or from where it was last found."""
        deadline = time.monotonic() + LONGEST_S
        while wanted not in self.seen:
            assert time.monotonic() < deadline, self.seen
            assert self._more(deadline - time.monotonic()), self.seen
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def rest(self) -> bytes:
        while self._more(LONGEST_S):
            pass
        return self.seen

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def _more(self, wait: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], max(wait, 0))
        try:
            octets = os.read(self._terminal, 1 << 16) if ready else b""
        except OSError:  # the other end is closed: so Linux tells it
            octets = b""
        self.seen += octets
        return bool(octets)


@contextlib.contextmanager
def on_a_terminal(*words: str, prefix: Sequence[str] = (), width: int = 100, height: int = 30) -> Iterator[Tty]:
    """`keepalive` with these words on it, perhaps behind another command."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def take_the_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*prefix, *KEEPALIVE, *words],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment(),
        bufsize=0,
        preexec_fn=take_the_terminal,
    )
    os.close(theirs)
    try:
        yield Tty(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        for stream in (process.stdin, process.stderr):
            assert stream is not None
            stream.close()
