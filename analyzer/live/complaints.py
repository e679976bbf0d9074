"""Why an interface cannot be captured on, and what to do about it."""

from __future__ import annotations

import difflib
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from analyzer.capture.interface.backend import PROGRAM

# As tcpdump and scapy say it.
_NOT_PERMITTED = re.compile("not permitted|permission", re.IGNORECASE)
_NO_SUCH = re.compile("no such device|not found", re.IGNORECASE)
CLOSE = 0.5  # l0 for lo
_FOR_SUDO = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # sudoers(5), secure_path


def in_words(complaint: str, interface: str, interfaces: Sequence[str], *, root: bool) -> str:
    """What whoever captures complains of, with what helps; the host has these interfaces, and we may be root."""
    complaint = re.sub(r"^\((.*)\)$", r"\1", complaint)
    if _NO_SUCH.search(complaint):
        return _no_such(interface, interfaces)
    if not _NOT_PERMITTED.search(complaint):
        return complaint
    if root:
        return f"{complaint}: root lacks CAP_NET_RAW here, as in a container that runs without --cap-add NET_RAW"
    hint = f"you don't have permission to capture: try sudo {called()} live -i {shlex.quote(interface)}"
    tcpdump = shutil.which(PROGRAM)
    return hint if tcpdump is None else f"{hint}, or once: sudo setcap cap_net_raw,cap_net_admin+ep {tcpdump}"


def _no_such(interface: str, interfaces: Sequence[str]) -> str:
    close = difflib.get_close_matches(interface, interfaces, 1, CLOSE)
    listed = ", ".join(interfaces)
    if close:
        return f"no such interface; did you mean {close[0]}? There are {listed}"
    return f"no such interface; there are {listed}"


def called() -> str:
    """How sudo finds this program, which has a PATH of its own."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m analyzer"
    return program.name if shutil.which(program.name, path=_FOR_SUDO) else shlex.quote(str(program.absolute()))
