"""A folder that somebody fills with capture files, one after another, perhaps the oldest anew."""

from __future__ import annotations

from pathlib import Path

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
