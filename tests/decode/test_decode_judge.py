"""The decoder against scapy, an independent judge, and against bytes that nobody meant."""

from __future__ import annotations

import random

import frames_in_bytes as frames
from decoded import Frame, decode, only_row
from frames_in_bytes import UNKNOWN_LINK
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import judged, random_frame
from test_decode_layers import LINKS

INNER = [
    frames.ipv4(frames.tcp(options=frames.timestamps(1, 2) + frames.sack((1, 2)), payload=b"x" * 20)),
    frames.ipv4(frames.tcp(), options=bytes(40)),
    frames.ipv6(frames.extension(43) + frames.extension(6, 16) + frames.tcp(options=b"\2\4\5\xb4"), 0),
    frames.ipv6(frames.fragment_header(51) + frames.authentication_header(6) + frames.tcp(), 44),
    frames.ipv4(frames.icmp_error(3, 1, frames.ipv4(frames.tcp(), options=bytes(8))), 1),
    frames.ipv6(frames.icmp_error(1, 3, frames.ipv6(frames.extension(6) + frames.tcp(), 60)), 58),
]
SEEDS: list[Frame] = [(link, wrap(packet)) for link, wrap in LINKS.values() for packet in INNER]


def test_scapy_reads_the_same_in_a_random_mix_of_packets() -> None:
    rng = random.Random(9293)
    batch = [random_frame(rng) for _ in range(400)]
    rows, skipped = decode(batch)
    assert skipped == {}
    for row, (link, octets) in zip(rows, batch, strict=True):
        want = judged(link, octets)
        assert {name: getattr(row, name) for name in want} == want, octets.hex()


def test_a_snaplen_within_the_payload_changes_nothing_that_scapy_reads() -> None:
    rng = random.Random(1122)
    batch = [frame for frame in (random_frame(rng) for _ in range(200)) if len(frame[1]) > 1400]
    assert len(batch) > 20
    for link, octets in batch:
        want = judged(link, octets)
        row = only_row(octets, link, snaplen=len(octets) - rng.randint(1, want["len"]))
        assert {name: getattr(row, name) for name in want} == want, octets.hex()


@st.composite
def mutated(draw: st.DrawFn) -> Frame:
    """A frame with bytes flipped, cut out, put in, or cut off; sometimes under another link type."""
    link, octets = draw(st.sampled_from(SEEDS))
    damaged = bytearray(octets)
    for place, value in draw(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6)):
        damaged[place % len(damaged)] = value
    damaged = damaged[: draw(st.integers(0, len(damaged)))] if draw(st.booleans()) else damaged
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(damaged)))
        damaged[at:at] = draw(st.binary(max_size=40))
    return draw(st.sampled_from([link, link, link, 0, 1, 101, 113, 228, 276, 999])), bytes(damaged)


@given(st.lists(mutated(), min_size=1, max_size=20), st.sampled_from([None, None, 54, 60, 66, 68, 96]))
@settings(max_examples=300, deadline=None)
def test_no_octets_can_crash_the_decoder_or_make_its_engines_disagree(batch: list[Frame], snaplen: int | None) -> None:
    decode(batch, snaplen)


@given(mutated())
@settings(max_examples=300, deadline=None)
def test_the_decoder_reads_nothing_outside_its_frame(frame: Frame) -> None:
    """Alone in its buffer, plain Python would notice; between others, the result would change."""
    alone = decode([frame])
    filler = (UNKNOWN_LINK, b"\xff" * 64)
    between = decode([filler, frame, filler])
    assert [row[3:] for row in between.rows] == [row[3:] for row in alone.rows]


@given(st.lists(st.tuples(st.sampled_from([0, 1, 12, 101, 108, 113, 228, 229, 276, 7]), st.binary(max_size=120))))
@settings(max_examples=200, deadline=None)
def test_random_octets_are_skipped_or_read_alike(batch: list[Frame]) -> None:
    decode(batch)
