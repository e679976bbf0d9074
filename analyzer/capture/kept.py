"""What cannot be read twice, kept on the disk while it is read: standard input and pipes."""

from __future__ import annotations

import io
import os
import weakref
from pathlib import Path
from typing import Any

from analyzer.capture.source import STANDARD_INPUT, Source, open_file, standard_input
from analyzer.errors import CaptureError


class Spool:
    """Keeps them in files without a name, which are gone when this is."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Any]] = []
        self._to_replay: list[tuple[str, Any]] | None = None

    def replay(self) -> None:
        """From now on give again what was kept, in the order in which it was read."""
        self._to_replay = list(self._kept)

    def open(self, path: str) -> Source | None:
        """A pipe that is kept while it is read or, once that is over, what was kept of it; None for a file.

        Raises CaptureError when it cannot be opened.
        """
        name = "standard input" if path == STANDARD_INPUT else path
        if self._to_replay is not None:
            if not self._to_replay or self._to_replay[0][0] != path:
                return None
            _, file = self._to_replay.pop(0)
            file.seek(0)
            return Source(name, open(file.fileno(), "rb", buffering=0, closefd=False))
        if not is_pipe(path):
            return None
        try:
            import tempfile

            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (it is open as long as this lives)
        except OSError as error:
            raise CaptureError(f"cannot be kept on disk: {error.strerror or error}", path=name) from error
        weakref.finalize(self, file.close)
        self._kept.append((path, file))
        return Source(name, _Tee(standard_input() if path == STANDARD_INPUT else open_file(path), file))


def is_pipe(path: str) -> bool:
    """Whether a path names what can be read but once."""
    return path == STANDARD_INPUT or (Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir())


class _Tee(io.RawIOBase):
    """An open file whose bytes are written to another as they are read."""

    def __init__(self, raw: Any, copy: Any) -> None:
        self._raw, self._copy = raw, copy

    def fileno(self) -> int:
        """Of the one that is read."""
        number: int = self._raw.fileno()
        return number

    def readinto(self, view: Any) -> int:
        count = self._raw.readinto(view) or 0
        left = memoryview(view)[:count]
        while left:
            left = left[os.write(self._copy.fileno(), left) :]
        return count

    def close(self) -> None:
        """The one that is read; the copy stays."""
        self._raw.close()
        super().close()
