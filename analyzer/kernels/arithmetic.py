"""Sequence numbers, big-endian fields and hashing: the arithmetic that every kernel shares."""

from __future__ import annotations

from analyzer.kernels.engine.registry import Buffer, kernel

SEQ_HALF = 1 << 31
MASK_16 = 0xFFFF
MASK_32 = 0xFFFFFFFF
MASK_63 = (1 << 63) - 1
# Multiplier of Knuth's MMIX linear congruential generator: odd, well mixed, fits a signed word.
MULTIPLIER = 6364136223846793005


@kernel
def serial_diff(a: int, b: int, half: int) -> int:
    """How far serial number `a` is ahead of `b` modulo 2 * half, in [-half, half) (RFC 1982 3.2)."""
    return ((a - b + half) & (2 * half - 1)) - half


@kernel
def seq_diff(a: int, b: int) -> int:
    """How far sequence number `a` is ahead of `b`, in [-2**31, 2**31) (RFC 9293 3.4)."""
    return serial_diff(a, b, SEQ_HALF)


@kernel
def be16(buf: Buffer, at: int) -> int:
    """The 16-bit big-endian number at `at`."""
    return (buf[at] << 8) | buf[at + 1]


@kernel
def be32(buf: Buffer, at: int) -> int:
    """The 32-bit big-endian number at `at`."""
    return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]


@kernel
def le32(buf: Buffer, at: int) -> int:
    """The 32-bit little-endian number at `at`."""
    return (buf[at + 3] << 24) | (buf[at + 2] << 16) | (buf[at + 1] << 8) | buf[at]


@kernel
def half_address(buf: Buffer, at: int) -> int:
    """Eight bytes of an IPv6 address as one signed 64-bit number."""
    high = be32(buf, at)
    return ((high - ((high & SEQ_HALF) << 1)) << 32) | be32(buf, at + 4)


@kernel
def mix(state: int, word: int) -> int:
    """One round of a multiplicative hash; the mask makes a Python int and a wrapping int64 agree."""
    state = ((state ^ word) * MULTIPLIER) & MASK_63
    return state ^ (state >> 29)
