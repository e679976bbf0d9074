"""A capture file that somebody is still writing: its end is not the end."""

from __future__ import annotations

from analyzer.capture.source import open_file


class Growing:
    """A file whose reads give None where nothing more is there yet."""

    def __init__(self, path: str) -> None:
        """Open it; raises CaptureError when that is not possible."""
        self._file = open_file(path)
        self.complete = False  # nobody writes it any more

    def read(self, size: int) -> bytes:
        """What is there, at most so many octets."""
        return bytes(self._file.read(size))

    def readinto(self, view: memoryview) -> int | None:
        """Fill some of `view`; None where there is nothing now, and 0 where there will not be more."""
        count: int = self._file.readinto(view)
        return count if count or self.complete else None

    def fileno(self) -> int:
        """The file's descriptor."""
        return int(self._file.fileno())

    def close(self) -> None:
        """Read no more."""
        self._file.close()
