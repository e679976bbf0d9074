"""Which processes hold this host's sockets: by the inode that their descriptors name in /proc (proc(5))."""

from __future__ import annotations

import os
import pwd
import re
import threading
from array import array
from functools import lru_cache
from pathlib import Path

from analyzer.host.runtimes import runtime_of
from analyzer.model.sockets import Owner, Process

PROC = Path("/proc")
SOCKET = "socket:["  # what /proc/PID/fd/FD names, with the inode behind it
# cgroups of container engines: docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope, libpod-ID.scope, docker/ID.
_CONTAINER = re.compile(r"(?:docker|cri-containerd|crio|libpod|containerd|lxc)[-/:]([0-9a-f]{12})[0-9a-f]{0,52}\b")
# kubelet: kubepods-burstable-podUID.slice, with _ for -, or /podUID/.
_POD = re.compile(r"\bpod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})\b")
_UNIT = re.compile(r"([^/]+\.(?:service|socket|scope))(?:/|$)")
_STARTED = 19  # starttime of /proc/PID/stat, counted behind the command's parenthesis


class Holders:
    """Who holds which socket: descriptors of all processes, looked up at the first question; then who holds one.

    Of another user's processes the kernel shows descriptors only to root, or with CAP_SYS_PTRACE: `unseen` counts those
    that it does not show. With `ahead` a child process begins to look at once, while the caller prepares its questions.
    """

    def __init__(self, *, ahead: bool = False) -> None:
        self._unseen = 0
        self._held: dict[int, tuple[tuple[int, int], ...]] = {}  # by inode: process and descriptor
        self._processes: dict[int, Process | None] = {}
        self._looked = False
        # A child of a process with threads may wait for ever for a lock that one of them held.
        self._child = _begin_to_look() if ahead and threading.active_count() == 1 else None

    @property
    def unseen(self) -> int:
        """How many processes do not show their descriptors."""
        self._look()
        return self._unseen

    def _look(self) -> None:
        if self._looked:
            return
        self._looked = True
        found = _look_at_all() if self._child is None else _finish_to_look(*self._child)
        self._unseen = found.pop()
        held = self._held
        each = iter(found)
        for inode, pid, fd in zip(each, each, each, strict=True):
            held[inode] = (*held[inode], (pid, fd)) if inode in held else ((pid, fd),)

    def of(self, inode: int) -> tuple[Owner, ...]:
        """The descriptors that name this inode."""
        self._look()
        found = []
        for pid, fd in self._held.get(inode, ()):
            if pid not in self._processes:
                self._processes[pid] = self._described(pid)
            process = self._processes[pid]
            if process is not None:
                found.append(Owner(process, fd))
        return tuple(found)

    @staticmethod
    def _described(pid: int) -> Process | None:
        try:
            return _process(pid)
        except OSError:
            return None  # it has ended meanwhile


def _look_at_all(but: str = "") -> array[int]:
    """Inode, process and descriptor of each socket that a process holds (`but` one); last, how many show none."""
    found: array[int] = array("q")
    unseen = 0
    for folder in PROC.iterdir():
        if folder.name.isdigit() and folder.name != but:
            try:
                _look_at(folder.name, found)
            except PermissionError:
                unseen += 1
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
    found.append(unseen)
    return found


def _look_at(pid: str, found: array[int]) -> None:
    readlink, process = os.readlink, int(pid)
    folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for fd in os.listdir(folder):  # noqa: PTH208 - a descriptor is no path: half the time
            try:
                target = readlink(fd, dir_fd=folder)
            except FileNotFoundError:
                continue
            if target.startswith(SOCKET):
                found.extend((int(target[len(SOCKET) : -1]), process, int(fd)))
    finally:
        os.close(folder)


def _begin_to_look() -> tuple[int, int]:
    """A child process that looks, and where it will write what it found."""
    reads, writes = os.pipe()
    child = os.fork()
    if child:
        os.close(writes)
        return child, reads
    try:
        with os.fdopen(writes, "wb") as out:
            out.write(_look_at_all(but=str(os.getpid())))  # what it has itself, it has from its parent
        os._exit(0)
    finally:
        os._exit(1)


def _finish_to_look(child: int, reads: int) -> array[int]:
    """What it found; if it came to nothing, what this process finds."""
    found: array[int] = array("q")
    with os.fdopen(reads, "rb") as given:
        octets = given.read()
    if os.waitpid(child, 0)[1]:
        return _look_at_all()
    found.frombytes(octets)
    return found


def _process(pid: int) -> Process:
    """What /proc says of a process."""
    folder = PROC / str(pid)
    stat = (folder / "stat").read_text(errors="replace")
    started = int(stat[stat.rindex(")") + 2 :].split()[_STARTED]) / os.sysconf("SC_CLK_TCK")
    groups = (folder / "cgroup").read_text(errors="replace")
    container, pod = _CONTAINER.search(groups), _POD.search(groups)
    units = _UNIT.findall(groups)
    try:
        executable = str((folder / "exe").readlink())
    except OSError:
        executable = ""
    return Process(
        pid=pid,
        command=(folder / "comm").read_text(errors="replace").rstrip("\n"),
        user=user_name(folder.stat().st_uid),
        since=_booted() + started,
        executable=executable,
        runtime=runtime_of(str(folder / "exe"), executable),
        unit=units[-1].replace(r"\x2d", "-") if units and container is None else "",
        container=container[1] if container else "",
        pod=pod[1].replace("_", "-") if pod else "",
    )


@lru_cache(1)
def _booted() -> float:
    """When this host started, in seconds since 1970."""
    for line in (PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


@lru_cache(256)
def user_name(uid: int) -> str:
    """A user's name, or the number of one that has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
