"""Who captures on an interface: tcpdump, or scapy where it is not there."""

from __future__ import annotations

import shutil
from enum import StrEnum

PROGRAM = "tcpdump"


class Backend(StrEnum):
    """Who captures on an interface."""

    auto = "auto"
    tcpdump = "tcpdump"
    scapy = "scapy"

    @property
    def chosen(self) -> Backend:
        """tcpdump where it is there, unless it is said."""
        if self is not Backend.auto:
            return self
        return Backend.scapy if shutil.which(PROGRAM) is None else Backend.tcpdump
