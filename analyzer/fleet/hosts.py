"""Which host made a capture, as its address says: directories name hosts, or the beginnings of file names do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from analyzer.errors import UsageError

# What rotation adds: numbers, a time, endings of formats and compressions, and the numbers that tcpdump -C puts last.
_ENDINGS = re.compile(r"(\.(?:pcap|pcapng|cap|snoop|dmp|gz|zst|lz4|xz|bz2))*\d*$", re.IGNORECASE)
_NUMBERS = re.compile(r"[-_.]\d[\dT:Z]*$")
_LONG = re.compile(r"\d{4}")  # a date, a time, a counter: not the number of a host


def hosts_of(addresses: Sequence[str], pattern: str | None = None) -> list[str]:
    """The host of each capture: the first group that `pattern` finds in its address, or by what differs among them.

    Captures of several directories: the first directory in which their paths differ. Of one: the name of each without
    what rotation adds. Raises UsageError for a pattern that is none, or has no group.
    """
    if pattern is not None:
        return [_found(pattern, address) for address in addresses]
    folders = [PurePosixPath(address.partition("://")[2] or address).parent.parts for address in addresses]
    if len(set(folders)) > 1:
        alike = 0
        while all(len(folder) > alike and folder[alike] == folders[0][alike] for folder in folders):
            alike += 1
        return [
            folder[alike] if len(folder) > alike else _stem(address)
            for folder, address in zip(folders, addresses, strict=True)
        ]
    return [_stem(address) for address in addresses]


def _found(pattern: str, address: str) -> str:
    try:
        match = re.search(pattern, address)
    except re.error as error:
        raise UsageError(f"--host-pattern {pattern}: {error}") from error
    if match is not None and not match.re.groups:
        raise UsageError(f"--host-pattern {pattern} has no group, as in '/([^/]+)/[^/]+$'")
    return match[1] or "" if match is not None else ""


def _stem(address: str) -> str:
    """`web-03` of `web-03-20261130-0001.pcap.gz`, and of `web-03-20261130-1.pcap`."""
    name = PurePosixPath(address).name
    bare = _ENDINGS.sub("", name) or name
    stem, long = bare, bare
    while match := _NUMBERS.search(stem):
        stem = stem[: match.start()]
        if _LONG.search(match[0]):
            long = stem
    return long or bare
