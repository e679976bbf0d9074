"""Files that only their owner can read: what is written of a capture is as confidential as the capture."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def created(path: str) -> int:
    """An open file descriptor of an empty file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        Path(path).chmod(0o600)
    return descriptor
