"""Files of what was captured, the oldest removed when there are too many, so that the packets of a finding are kept."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from analyzer.capture.pcapng_writer import PcapngWriter
from analyzer.model.columns import Records
from analyzer.tables.fields import RECORD_SIZE

AT_ONCE = 256  # packets written by one call


class Folder:
    """Where the files lie: opens the next, and of too many removes the oldest first, none that it has not made."""

    def __init__(self, path: str, count: int, owner: tuple[int, int] | None = None) -> None:
        """Keep `count` files there, which belong to this user and group if it is not us. Raises OSError."""
        self._path = Path(path)
        self._count, self._owner = count, owner
        self._names: deque[str] = deque()
        self._begun = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
        self._number = 0
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever may rename what is above it cannot have us write elsewhere.
        anchored = os.open in os.supports_dir_fd
        self.descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY) if anchored else None

    def next_file(self) -> int:
        """A descriptor of another file, which is empty, and its owner's alone. Raises OSError."""
        while len(self._names) >= self._count:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._place(self._names.popleft()), dir_fd=self.descriptor)
        self._number += 1
        name = f"keepalive-{self._begun}-{self._number:06}.pcapng"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self._place(name), flags, 0o600, dir_fd=self.descriptor)
        self._names.append(name)
        if self._owner is not None:
            os.fchown(descriptor, *self._owner)
        return descriptor

    def close(self) -> None:
        """Open no more."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _place(self, name: str) -> str:
        return name if self.descriptor is not None else str(self._path / name)


class Ring:
    """Writes pcapng files; every call leaves whole blocks on the disk."""

    def __init__(self, name: str, next_file: Callable[[], int], size: int, notify: Callable[[str], None]) -> None:
        """Each file is of `size` bytes and what the last packets add; `next_file` opens another.

        Raises OSError when nothing can be written; `notify` is told when that is so later, of the directory `name`.
        """
        self._name, self._next_file, self._size, self._notify = name, next_file, size, notify
        self._writer = PcapngWriter()
        self._descriptor: int | None = None
        self._written = 0
        self._next()

    def write(self, records: Records, name: str, digits: int) -> None:
        """Append a batch of packets as they were captured."""
        if self._descriptor is None or not records.size:
            return
        try:
            for start in range(0, records.size, AT_ONCE):
                if self._written >= self._size:
                    self._next()
                rows = records.rows[start * RECORD_SIZE : (start + AT_ONCE) * RECORD_SIZE]
                some = records._replace(rows=rows, size=min(AT_ONCE, records.size - start))
                self._append(self._writer.records(some, name, digits))
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _next(self) -> None:
        """Begin another file."""
        self.close()
        self._descriptor = self._next_file()
        self._written = 0
        self._append(self._writer.begin())

    def _append(self, octets: bytes) -> None:
        assert self._descriptor is not None
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._written += len(octets)

    def _give_up(self, error: OSError) -> None:
        """Keep what is whole; the analysis goes on."""
        self._notify(f"{self._name}: {error.strerror or error}: what is captured from now on is not kept")
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, self._written)
            self.close()
