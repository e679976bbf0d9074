"""What this host knows of its own TCP sockets: no capture, but the kernel's word, and that of another host's `ss`."""

from __future__ import annotations

import sys
from typing import NamedTuple

from analyzer.errors import UsageError
from analyzer.model.sockets import Owner, Socket


class Snapshot(NamedTuple):
    """All TCP sockets at one moment, seconds since 1970; `unseen` processes may hold those without an owner."""

    time: float
    sockets: list[Socket]
    unseen: int = 0
    idle_known: bool = True  # idle times; /proc/net/tcp has none


def take_snapshot(netns: str = "", *, options: bool = False, owners: bool = True) -> Snapshot:
    """The sockets of this network namespace, of the one called `netns`, or of `all`; with `options` if wanted.

    What may not be seen is left out and counted: owners, and options. Raises UsageError where this system has no such
    list, and where another namespace may not be entered.
    """
    import time

    if sys.platform != "linux":
        raise UsageError("the sockets of this host can be listed on Linux alone; read another's with --from FILE")
    now = time.time()
    found, idle_known = _listed(netns)
    if not owners:
        return Snapshot(now, found, 0, idle_known)
    from analyzer.host.owners import Holders

    holders = Holders()
    # The last field; _replace() takes several times as long.
    owners_of = holders.of
    with_owners = [Socket(*one[:-1], owners_of(one.inode)) for one in found]
    if options:
        with_owners = [_with_options(one) for one in with_owners]
    return Snapshot(now, with_owners, holders.unseen, idle_known)


def _listed(netns: str) -> tuple[list[Socket], bool]:
    if not netns:
        return _read("")
    from analyzer.host.namespaces import entered, find_namespaces

    found: list[Socket] = []
    known = True
    for name, path in find_namespaces(netns).items():
        try:
            with entered(path):
                some, idle_known = _read(name)
        except PermissionError as error:
            raise UsageError(f"--netns {netns}: only root may enter another network namespace") from error
        found += some
        known = known and idle_known
    return found, known


def _read(netns: str) -> tuple[list[Socket], bool]:
    from analyzer.host import diag, procfs

    try:
        return diag.read_sockets(netns), True
    except OSError:  # a container without netlink, a kernel without tcp_diag
        try:
            return procfs.read_sockets(netns), False
        except OSError as error:
            raise UsageError(f"the kernel lists no sockets here: {error.strerror}") from error


def _with_options(one: Socket) -> Socket:
    from analyzer.host.options import read_options

    held: Owner | None = one.owners[0] if one.owners else None
    return one if held is None else one._replace(options=read_options(held.process.pid, held.fd))
