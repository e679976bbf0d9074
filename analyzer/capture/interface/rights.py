"""The rights of root, which opening an interface takes and reading packets does not: given up before any is read."""

from __future__ import annotations

import contextlib
import os
import sys

NOBODY = 65534  # where no user is called so
PR_SET_NO_NEW_PRIVS = 38  # prctl(2)


def is_root() -> bool:
    """Whether there is something to give up."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def asker() -> tuple[int, int]:
    """The user and group to go on as: whoever called sudo, else nobody."""
    import pwd

    user, group = (os.environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID"))
    if user.isdecimal() and group.isdecimal() and int(user) and int(group):
        return int(user), int(group)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return entry.pw_uid, entry.pw_gid


def give_up_rights() -> None:
    """Go on as `asker`, for good; nothing for who is not root. Raises OSError where the system does not let us.

    To be called before there are threads: what forbids to gain rights anew is a thread's own, and its children's.
    """
    if not is_root():
        return
    import ctypes
    import pwd

    user, group = asker()
    _keep_doors_open()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    os.setgroups([])
    os.setgid(group)  # of root these two set the real, the effective and the saved one
    os.setuid(user)
    try:
        os.environ["HOME"] = pwd.getpwuid(user).pw_dir
    except KeyError:
        os.environ.pop("HOME", None)


def _keep_doors_open() -> None:
    """Have modules found that are loaded later: the directories above them may be closed to whom we become.

    An installation of root's own mostly is. What is open stays so (proc_pid_fd(5)), for files that all may read.
    """
    from importlib import machinery

    kinds = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
    )
    doors = {}
    for folder in filter(os.path.isdir, sys.path):
        with contextlib.suppress(OSError):
            doors[folder] = f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}"

    def finder(path: str) -> machinery.FileFinder:
        for folder, door in doors.items():
            if path == folder or path.startswith(folder + os.sep):
                return machinery.FileFinder(door + path[len(folder) :], *kinds)
        raise ImportError(path)

    sys.path_hooks.append(finder)  # asked after those that find what can be reached
    sys.path_importer_cache.clear()
