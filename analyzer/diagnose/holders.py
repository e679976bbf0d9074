"""Which processes hold the sockets of connections, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.model.sockets import Held

NAMED = 3  # processes, and descriptors of each


def processes_of(held: Mapping[int, tuple[Held, ...]], streams: Sequence[int]) -> str:
    """`python3 (pid 12, fd 4, 5)`; several of them with a comma between, no more than a few."""
    if not held:
        return ""
    found: dict[tuple[str, int], list[int]] = {}
    for one in (one for stream in streams for one in held.get(stream, ())):
        for owner in one.socket.owners:
            found.setdefault((owner.process.command, owner.process.pid), []).append(owner.fd)
    named = [f"{command} (pid {pid}, fd {_few(fds)})" for (command, pid), fds in list(found.items())[:NAMED]]
    if len(found) > NAMED:
        named.append(f"and {len(found) - NAMED} more")
    return ", ".join(named)


def _few(fds: Sequence[int]) -> str:
    return ", ".join(map(str, fds[:NAMED])) + (", ..." if len(fds) > NAMED else "")
