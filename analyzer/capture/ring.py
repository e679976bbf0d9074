"""Files of what was captured, the oldest removed when there are too many, so that the packets of a finding are kept."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from analyzer.capture.writer import PcapngWriter
from analyzer.layout import RECORD_SIZE
from analyzer.model import Records

AT_ONCE = 256  # packets written by one call


class Ring:
    """Writes pcapng files into a folder; every call leaves whole blocks on the disk."""

    def __init__(self, folder: str, size: int, count: int, notify: Callable[[str], None]) -> None:
        """Keep `count` files, each of `size` octets and what the last packets add.

        Raises OSError when nothing can be written there; `notify` is told when that is so later.
        """
        self._folder = Path(folder)
        self._size, self._count, self._notify = size, count, notify
        self._writer = PcapngWriter()
        self._files: deque[Path] = deque()
        self._begun = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._number = 0
        self._descriptor: int | None = None
        self._written = 0
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        """Begin another file; of too many remove the oldest first."""
        self.close()
        while len(self._files) >= self._count:
            self._files.popleft().unlink(missing_ok=True)
        self._number += 1
        path = self._folder / f"keepalive-{self._begun}-{os.getpid()}-{self._number:06}.pcapng"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._files.append(path)
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
        self._notify(f"{self._folder}: {error.strerror or error}: what is captured from now on is not kept")
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, self._written)
            self.close()
