"""Files that are still being written, and directories into which a rotated set is written."""

from __future__ import annotations

from pathlib import Path

from analyzer.capture.source import open_file

# A file's header and the first record's: by these a file that is written anew differs from what it was.
BEGINNING = 64


class Rotation:
    """Tells which file comes next."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._given: dict[Path, tuple[int, bytes]] = {}

    def next(self) -> str | None:
        """The file that has been written to least lately of those not given yet, once it holds a packet."""
        found = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
                if not path.is_file() or path.name.startswith(".") or status.st_size < BEGINNING:
                    continue
                with path.open("rb") as file:
                    what = status.st_ino, file.read(BEGINNING)
            except OSError:  # it has just been removed, or is not for us to read
                continue
            if self._given.get(path) != what:
                found.append((status.st_mtime_ns, path, what))
        if not found:
            return None
        _, path, what = min(found)
        self._given[path] = what
        return str(path)


class Growing:
    """A file whose reads give None where nothing more is there yet."""

    def __init__(self, path: str) -> None:
        """Open it; raises CaptureError when that is not possible."""
        self._file = open_file(path)
        self.complete = False  # nobody writes it any more

    def read(self, size: int) -> bytes:
        """What is there, at most so many bytes."""
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
