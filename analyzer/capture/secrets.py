"""TLS secrets in a pcapng file, for whoever reads it: Decryption Secrets Blocks (draft-ietf-opsawg-pcapng 4.7)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from analyzer.wire import PCAPNG_BYTE_ORDER, PCAPNG_SECRETS, PCAPNG_SECTION_HEADER, PCAPNG_TLS_KEY_LOG

HEAD = 8  # the type and the length of a block
SMALLEST_BLOCK, LARGEST_SECRETS = 12, 1 << 24
# A line of NSS's key log format: a label, the client's random of 32 bytes, a secret.
_SECRET = re.compile(rb"^[A-Z0-9_]+ ([0-9a-fA-F]{64}) [0-9a-fA-F]+\s*$", re.MULTILINE)
# RFC 8446 4.1.2, 5.1: a record with a ClientHello, whose version, and so its random, is where TLS 1.0 had them.
_CLIENT_HELLO = re.compile(rb"\x16\x03[\x00-\x04]..\x01...\x03[\x00-\x03](.{32})", re.DOTALL)


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


def why_useless(secrets: bytes, packets: bytes) -> str:
    """Why these secrets decrypt nothing in a file of packets; empty where they may."""
    randoms = {bytes.fromhex(text.decode()) for text in _SECRET.findall(secrets)}
    if not randoms:
        return "no line of it is a TLS secret in the format of SSLKEYLOGFILE"
    if randoms.isdisjoint(_CLIENT_HELLO.findall(packets)):
        return "none of its secrets is of a TLS handshake that was captured with heartbeats behind it"
    return ""
