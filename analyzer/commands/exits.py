"""The exit statuses, as the README has them."""

from __future__ import annotations

EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_UNREADABLE = 3
EXIT_UNWRITABLE = 4
EXIT_NO_CAPTURE = 5
EXIT_NOTHING_SELECTED = 6
EXIT_INTERNAL = 70  # sysexits.h EX_SOFTWARE
EXIT_INTERRUPTED = 130
