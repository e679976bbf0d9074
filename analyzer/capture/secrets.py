"""TLS secrets in a pcapng file, for whoever reads it: Decryption Secrets Blocks (draft-ietf-opsawg-pcapng 4.7)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from analyzer.wire import PCAPNG_BYTE_ORDER, PCAPNG_SECRETS, PCAPNG_SECTION_HEADER, PCAPNG_TLS_KEY_LOG

HEAD = 8  # the type and the length of a block
SMALLEST_BLOCK, LARGEST_SECRETS = 12, 1 << 24


def tls_secrets(path: str) -> bytes:
    """The key logs of a file, one behind the other; nothing where it is no pcapng, has none, or cannot be read.

    Other blocks are passed over by their lengths; what follows damage is not looked at.
    """
    try:
        with Path(path).open("rb") as file:
            return b"\n".join(_key_logs(file))
    except (OSError, struct.error):
        return b""


def _key_logs(file: IO[bytes]) -> Iterator[bytes]:
    order = ""
    while len(head := file.read(HEAD)) == HEAD:
        if head[:4] == PCAPNG_SECTION_HEADER.to_bytes(4):
            mark = file.read(4)
            order = "<" if mark == PCAPNG_BYTE_ORDER.to_bytes(4, "little") else ">"
            file.seek(-len(mark), 1)
        if not order:
            return  # no pcapng
        kind, length = struct.unpack(f"{order}II", head)
        if length < SMALLEST_BLOCK:
            return
        if kind != PCAPNG_SECRETS or length > LARGEST_SECRETS:
            file.seek(length - HEAD, 1)
            continue
        body = file.read(length - HEAD)
        if len(body) < length - HEAD:
            return
        secrets, size = struct.unpack_from(f"{order}II", body)
        if secrets == PCAPNG_TLS_KEY_LOG:
            yield body[8 : 8 + size]
