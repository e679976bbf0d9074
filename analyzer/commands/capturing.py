"""What captures on interfaces for `live`, and keeps what it captures: with the rights of root, or without."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analyzer.capture.interface.rights import asker, give_up_rights, is_root
from analyzer.errors import OutputError

if TYPE_CHECKING:
    from analyzer.capture.interface.backend import Backend
    from analyzer.capture.interface.processes import Capturers
    from analyzer.capture.ring import Folder, Ring


def ring_folder(path: str, count: int) -> Folder:
    """The directory of the ring, of whoever called sudo; raises OutputError where there can be none."""
    from analyzer.capture.ring import Folder

    try:
        return Folder(path, count, asker() if is_root() and "SUDO_UID" in os.environ else None)
    except OSError as error:
        raise OutputError(f"--write {path}: {error.strerror or error}") from error


def capturers_on(interfaces: Sequence[str], wanted: str | None, backend: Backend, folder: Folder | None) -> Capturers:
    """Who starts what captures: of root's process one that is forked here and now, for this one gives its rights up."""
    from analyzer.capture.interface.keeper import Keeper
    from analyzer.capture.interface.processes import Children
    from analyzer.live.sources import commands

    called = commands(interfaces, wanted, backend)
    return Keeper(called, folder) if is_root() else Children(called)


def ring_in(path: str, capturers: Capturers | None, folder: Folder, size: int, note: Callable[[str], None]) -> Ring:
    """Writes into the directory, by way of who has the right to; raises OutputError when that cannot be."""
    from analyzer.capture.interface.keeper import Keeper
    from analyzer.capture.ring import Ring

    opener = capturers if isinstance(capturers, Keeper) else folder
    try:
        return Ring(path, opener.next_file, size, note)
    except OSError as error:
        raise OutputError(f"--write {path}: {error.strerror or error}") from error


def read_without_rights(note: Callable[[str], None]) -> None:
    """Read packets without the rights of root, or say that the system does not let us."""
    from analyzer.live.preload import preload

    if not is_root():
        return
    preload()
    try:
        give_up_rights()
    except OSError as error:
        note(f"packets are read with the rights of root, which cannot be given up here: {error.strerror}")
