"""The rows of `heartbeats` as kernels read them: flat tables of words."""

from __future__ import annotations

import re

from analyzer.tables.heartbeats import (
    BYE,
    HEARTBEAT_KIND,
    HEARTBEAT_PROTOCOLS,
    INTERVAL,
    KINDS,
    LONGEST,
    NEVER,
    ROWS,
    SAID,
    SAYS,
)


def _row(code: int, payload: str) -> tuple[int, tuple[int, ...]]:
    """The first byte of a row, and the row as kernels read it: see PATTERN_SIZE."""
    parts: list[list[int]] = [[]]
    number, width = 0, 0
    for text, digits, gap in re.findall(r"'([^']*)'|([0-9a-fk.]{2})|(\*)", payload):
        if gap:
            parts.append([])
            continue
        if digits == "kk":
            number, width = number or len(parts[0]), width + 1
        parts[-1] += text.encode() if text else [-1 if digits in ("..", "kk") else int(digits, 16)]
    first, *more = parts
    assert first[0] >= 0, payload
    needle = more[0] if len(more) > 1 else []
    least = len(first) + len(needle)
    most = LONGEST if more else least
    words = (code, least, most, len(first), len(needle), number, width, *first, *needle)
    return first[0], words + (-1,) * (PATTERN_SIZE - len(words))


# For kernels: a code as above; the least and the greatest length; how many bytes a payload begins with, and how many
# stand anywhere behind them; where a number stands, and in how many bytes; all these bytes, -1 being any.
PATTERN_HEAD = 7
PATTERN_SIZE = PATTERN_HEAD + 48
_CODED = [
    (NEVER if row.meaning == NEVER else 1 + HEARTBEAT_PROTOCOLS.index(row.protocol) | row.meaning, row.payload)
    for row in ROWS
]
_CODED += [(1 + number << HEARTBEAT_KIND, payload) for number, payload in enumerate(KINDS.values())]
_CODED += [
    (1 + number << SAYS | (0 if saying.what == INTERVAL else BYE), saying.payload) for number, saying in enumerate(SAID)
]
_ROWS = [_row(*one) for one in _CODED]
# Rows by their first byte, which is given in each; and where those of each byte begin, and end. Stable: of two that
# both match the first stands.
_ROWS.sort(key=lambda one: one[0])
PATTERNS = tuple(word for _, words in _ROWS for word in words)
PATTERNS_FROM = tuple(PATTERN_SIZE * sum(first < octet for first, _ in _ROWS) for octet in range(257))
