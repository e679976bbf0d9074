"""What a kernel says in Python and in C is the same, and what C has not is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.kernels.arithmetic import MASK_63, be16, be32, le32, mix, seq_diff
from analyzer.kernels.engine.building import build
from analyzer.kernels.engine.library import load
from analyzer.kernels.engine.memory import octets as table_of
from analyzer.kernels.engine.memory import zeros
from analyzer.kernels.engine.registry import KERNELS, Buffer, Ints
from analyzer.kernels.engine.translate import translate

STEPS = (5, 3, 2)
LAST = 16


def is_odd(number: int) -> bool:
    """For `of_numbers` to call."""
    return number & 1 == 1


def of_numbers(a: int, b: int, out: Ints) -> int:
    """Everything that kernels do with numbers."""
    out[0] = a // 8 + a % 8 + (a >> 3) + (-a >> 2)
    out[1] = a // b if b != 0 else -1
    out[2] = a % b if b != 0 else -1
    out[3] = min(a, b, 7) - max(a, b) + abs(a)
    out[4] = int(0 <= a < b <= 100) + int(a == b) + (a != b)
    out[5], out[6] = b, a
    out[5], out[6] = out[6], out[5]
    low, high = (a, b) if a < b else (b, a)
    out[7] = high - low
    out[8] = ~a ^ b | 3
    both = a > 0 and (b > 0 or not is_odd(a))
    out[9] = 1 if both else 0
    if a & 6 and b:
        out[9] += 2
    # The mask must not go with what a compiler believes of a product of numbers that are not negative.
    out[10] = mix(a & MASK_63, b & MASK_63) + (mix(a & 0xFF, b & 0xFF) & 0xFFFF)
    out[11] = seq_diff(a & 0xFFFFFFFF, b & 0xFFFFFFFF)
    return LAST


def of_loops(count: int, out: Ints) -> int:
    """Every kind of loop, and how it is left."""
    at = 0
    for i in range(count):
        if i == 3:
            continue
        if i > 6:
            break
        out[at] = i
        i += 100
        at += 1
    for i in range(count, -4, -3):
        out[at] = i
        at += 1
    for step in STEPS:
        out[at] = step + len(STEPS)
        at += 1
    for number in (count, -count):
        out[at] = number
        at += 1
    while at < len(out):
        out[at] = at
        at += 1
    return at


def of_bytes(buf: Buffer, at: int, out: Ints) -> int:
    """Numbers in bytes."""
    out[0] = buf[at] << 56 | buf[at + 1]
    out[1] = be16(buf, at)
    out[2] = be32(buf, at)
    out[3] = le32(buf, at)
    return buf[at + 3] | 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[..., int]]:
    """The kernels of this file as machine code."""
    library = tmp_path_factory.mktemp("translated") / "kernels.so"
    names = ("of_numbers", "of_loops", "of_bytes")
    with pytest.MonkeyPatch.context() as patch:
        for function in (is_odd, of_numbers, of_loops, of_bytes):
            patch.setitem(KERNELS, function.__name__, function)
        build(library, "-Wall", "-Wno-unused", "-Werror", entry_points=names)
        return load(str(library), names)


def both_ways(made: dict[str, Callable[..., int]], function: Callable[..., int], *given: Any, room: int = 32) -> None:
    """Run a kernel plain and as machine code: same results, same tables."""
    plain: list[int] = [0] * room
    compiled = zeros(room)
    assert made[function.__name__](*given, compiled) == function(*given, plain)
    assert compiled[:].tolist() == plain


EDGES = [0, 1, -1, 2, 7, 8, 9, -8, -9, 100, 2**31, 2**32 - 1, 2**40 + 3, -(2**40) - 5, 2**61, -(2**61)]


@pytest.mark.parametrize("a", EDGES)
def test_numbers(a: int, made: dict[str, Callable[..., int]]) -> None:
    for b in EDGES:
        both_ways(made, of_numbers, a, b)


@given(st.integers(-(2**61), 2**61), st.integers(-(2**61), 2**61))
def test_any_numbers(made: dict[str, Callable[..., int]], a: int, b: int) -> None:
    both_ways(made, of_numbers, a, b)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_loops(count: int, made: dict[str, Callable[..., int]]) -> None:
    both_ways(made, of_loops, count)


@pytest.mark.parametrize("octets", [b"\x80\xff\x00\x7f\x01", b"\x01\x02\x03\x84\xf5"])
def test_bytes(octets: bytes, made: dict[str, Callable[..., int]]) -> None:
    for at in (0, 1):
        out, plain = zeros(4), [0] * 4
        assert made["of_bytes"](table_of(bytearray(octets)), at, out) == of_bytes(octets, at, plain)
        plain[0] = (plain[0] + 2**63) % 2**64 - 2**63  # a kernel that shifts a byte so far masks it
        assert out[:].tolist() == plain


def of_a_list(a: int) -> int:
    """No table of its own."""
    numbers = [a]
    return len(numbers)


def of_a_quotient(a: int) -> int:
    """No number with a fraction."""
    return int(a / 2)


def of_either(a: int, b: int) -> int:
    """In Python one of the numbers, in C a truth."""
    return a or b


def of_a_stranger(a: int) -> int:
    """No function that is no kernel."""
    return sum((a, a))


def of_two_at_once(a: int) -> int:
    """One target."""
    b = c = a
    return b + c


def of_a_large_number(a: int) -> int:
    """What 64 bits hold."""
    return a & (1 << 64)


@pytest.mark.parametrize(
    "function", [of_a_list, of_a_quotient, of_either, of_a_stranger, of_two_at_once, of_a_large_number]
)
def test_what_c_has_not_is_refused(function: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, function.__name__, function)
    with pytest.raises(TypeError, match=function.__name__):
        translate([function.__name__])


def test_every_kernel_is_reached(tmp_path: Path) -> None:
    """One that no entry point calls would be compiled by nobody."""
    source = translate()
    assert [name for name in KERNELS if f" {name}(" not in source and name != "prefetch"] == []
