"""What this host knows of its own TCP sockets: no capture, but the kernel's word, and that of another host's `ss`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from analyzer.errors import UsageError
from analyzer.model.sockets import Owner, OwnersOf, Socket, nobody

if TYPE_CHECKING:
    from analyzer.host.owners import Holders


class Snapshot(NamedTuple):
    """All TCP sockets at one moment, seconds since 1970; `unseen` processes may hold those without an owner."""

    time: float
    sockets: list[Socket]
    unseen: int = 0
    idle_known: bool = True  # idle times; /proc/net/tcp has none


def take_snapshot(
    netns: str = "", *, options: bool = False, owners: bool = True, holders: Holders | None = None
) -> Snapshot:
    """The sockets of this network namespace, of the one called `netns`, or of `all`; with `options` if wanted.

    `holders` is for who has begun to look for the owners.

    What may not be seen is left out and counted: owners, and options. Raises UsageError where this system has no such
    list, and where another namespace may not be entered.
    """
    import time

    if sys.platform != "linux":
        raise UsageError("the sockets of this host can be listed on Linux alone; read another's with --from FILE")
    now = time.time()
    if holders is None:
        from analyzer.host.owners import Holders

        holders = Holders()
    found, idle_known = _listed(netns, holders.of if owners else nobody)
    if options:
        found = [_with_options(one) for one in found]
    return Snapshot(now, found, holders.unseen if owners else 0, idle_known)


def _listed(netns: str, owners_of: OwnersOf) -> tuple[list[Socket], bool]:
    if not netns:
        return _read("", owners_of)
    from analyzer.host.namespaces import entered, find_namespaces

    found: list[Socket] = []
    known = True
    for name, path in find_namespaces(netns).items():
        try:
            with entered(path):
                some, idle_known = _read(name, owners_of)
        except PermissionError as error:
            raise UsageError(f"--netns {netns}: only root may enter another network namespace") from error
        found += some
        known = known and idle_known
    return found, known


def _read(netns: str, owners_of: OwnersOf) -> tuple[list[Socket], bool]:
    from analyzer.host import diag, procfs

    try:
        return diag.read_sockets(netns, owners_of), True
    except OSError:  # a container without netlink, a kernel without tcp_diag
        try:
            return procfs.read_sockets(netns, owners_of), False
        except OSError as error:
            raise UsageError(f"the kernel lists no sockets here: {error.strerror}") from error


def _with_options(one: Socket) -> Socket:
    from analyzer.host.options import read_options

    held: Owner | None = one.owners[0] if one.owners else None
    return one if held is None else one._replace(options=read_options(held.process.pid, held.fd))
