"""Which processes hold this host's sockets: by the inode that their descriptors name in /proc (proc(5))."""

from __future__ import annotations

import os
import pwd
import re
from functools import lru_cache
from pathlib import Path

from analyzer.host.runtimes import runtime_of
from analyzer.model.sockets import Owner, Process

PROC = Path("/proc")
# cgroups of container engines: docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope, libpod-ID.scope, docker/ID.
_CONTAINER = re.compile(r"(?:docker|cri-containerd|crio|libpod|containerd|lxc)[-/:]([0-9a-f]{12})[0-9a-f]{0,52}\b")
# kubelet: kubepods-burstable-podUID.slice, with _ for -, or /podUID/.
_POD = re.compile(r"\bpod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})\b")
_UNIT = re.compile(r"([^/]+\.(?:service|socket|scope))(?:/|$)")
_STARTED = 19  # starttime of /proc/PID/stat, counted behind the command's parenthesis


class Holders:
    """Who holds which socket: descriptors of all processes, looked up at the first question; then who holds one.

    Of another user's processes the kernel shows descriptors only to root, or with CAP_SYS_PTRACE: `unseen` counts those
    that it does not show.
    """

    def __init__(self) -> None:
        self._unseen = 0
        self._held: dict[str, tuple[tuple[str, str], ...]] = {}  # by target: process and descriptor
        self._processes: dict[str, Process | None] = {}
        self._looked = False

    @property
    def unseen(self) -> int:
        """How many processes do not show their descriptors."""
        if not self._looked:
            self._look_at_all()
        return self._unseen

    def _look_at_all(self) -> None:
        self._looked = True
        for folder in PROC.iterdir():
            if folder.name.isdigit():
                try:
                    self._look(folder.name)
                except PermissionError:
                    self._unseen += 1
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended meanwhile

    def _look(self, pid: str) -> None:
        held, readlink = self._held, os.readlink
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
        try:
            for fd in os.listdir(folder):  # noqa: PTH208 - a descriptor is no path: half the time
                try:
                    target = readlink(fd, dir_fd=folder)
                except FileNotFoundError:
                    continue
                held[target] = (*held[target], (pid, fd)) if target in held else ((pid, fd),)
        finally:
            os.close(folder)

    def of(self, inode: int) -> tuple[Owner, ...]:
        """The descriptors that name this inode."""
        if not self._looked:
            self._look_at_all()
        found = []
        for pid, fd in self._held.get(f"socket:[{inode}]", ()):
            if pid not in self._processes:
                self._processes[pid] = self._described(pid)
            process = self._processes[pid]
            if process is not None:
                found.append(Owner(process, int(fd)))
        return tuple(found)

    @staticmethod
    def _described(pid: str) -> Process | None:
        try:
            return _process(int(pid))
        except OSError:
            return None  # it has ended meanwhile


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
