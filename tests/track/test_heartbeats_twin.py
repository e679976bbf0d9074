"""Kernels and their slow twin agree on data at an even pace, whatever comes between."""

from __future__ import annotations

from collections.abc import Iterable

from conversation import CLIENT, SERVER, Conversation
from hypothesis import given
from hypothesis import strategies as st
from kernel_view import run_kernels
from naive_heartbeats import Beats, find_beats

from analyzer.kernels import Kernels, plain
from analyzer.model.columns import Tracks
from analyzer.tables import fields as layout

Data = tuple[int, str, int]
Row = tuple[int, ...]


def conversation(data: Iterable[Data]) -> Conversation:
    talk = Conversation(rtt=0)
    start = talk.now
    for time, sender, length in data:
        talk.send(sender, "PA", b"x" * length, at=start + time * 10**6)
    return talk


WORDS = ("sent", "answered", "odd", "length", "last")


def in_tables(tracks: Tracks, start: int) -> dict[str, Row]:
    """What the kernels keep, in the words of the twin."""
    found: dict[str, Row] = {}
    row = tracks.flows[0].tolist()
    for side, sender in enumerate((CLIENT, SERVER)):
        x = layout.HEAD_SIZE + side * layout.ENDPOINT_SIZE
        word, gaps = row[x + layout.BEAT], row[x + layout.BEAT_GAPS]
        found[sender] = (
            word >> layout.BEATS_SENT & layout.BEATS_MASK,
            word >> layout.BEATS_ANSWERED & layout.BEATS_MASK,
            gaps >> layout.BEATS_ODD & layout.BEATS_ODD_MASK,
            word >> layout.BEAT_LENGTH & 0xFF,
            (row[x + layout.BEAT_LAST] - start) // 10**6,
        )
        if word == 0:
            found[sender] = (0,) * len(WORDS)
    return found


def in_words(beats: Beats | None) -> Row:
    return (0,) * len(WORDS) if beats is None else tuple(int(getattr(beats, word)) for word in WORDS)


@st.composite
def chatter(draw: st.DrawFn) -> list[Data]:
    """Mostly a rhythm of one end with replies, and everything that can come between."""
    period, jitter = draw(st.sampled_from([2000, 8000, 30_000])), draw(st.sampled_from([0, 5, 12, 20]))
    beater = draw(st.sampled_from([CLIENT, SERVER]))
    other = SERVER if beater == CLIENT else CLIENT
    length, reply = draw(st.sampled_from([24, 52, 128])), draw(st.sampled_from([0, 24, 28, 60]))
    data, now = [], draw(st.integers(1, 3000))
    for _ in range(draw(st.integers(1, 16))):
        now += period * (100 + draw(st.integers(-jitter, jitter))) // 100 * draw(st.sampled_from([1] * 9 + [2, 3]))
        kind = draw(st.sampled_from(["beat"] * 12 + ["longer", "other", "twice", "theirs", "large"]))
        data.append((now, other if kind == "theirs" else beater, length + (kind == "longer")))
        if reply and kind != "theirs":
            now += draw(st.sampled_from([1, 40, 899, 900, 1500]))
            data.append((now, other, reply + (kind == "other")))
        if kind in ("twice", "large"):
            now += draw(st.sampled_from([1, 500, 1000]))
            data.append((now, draw(st.sampled_from([beater, other])), 300 if kind == "large" else length))
    return data


@given(data=chatter(), sizes=st.lists(st.integers(1, 97), min_size=1, max_size=3))
def test_kernels_agree_with_the_naive_twin(data: list[Data], sizes: list[int]) -> None:
    talk = conversation(data)
    talk.use_ports(40_000, 5432)
    capture = talk.pcap()
    expected = {sender: in_words(beats) for sender, beats in find_beats(data).items()}
    assert in_tables(run_kernels(capture, [plain()], sizes), talk_start(talk, data)) == expected


@given(data=chatter(), sizes=st.lists(st.integers(1, 97), min_size=1, max_size=3))
def test_compiled_kernels_agree_with_plain_ones(compiled: Kernels, data: list[Data], sizes: list[int]) -> None:
    talk = conversation(data)
    start = talk_start(talk, data)
    capture = talk.pcap()
    expected = in_tables(run_kernels(capture, [plain()], [10**6]), start)
    assert in_tables(run_kernels(capture, [compiled], sizes), start) == expected


def talk_start(talk: Conversation, data: list[Data]) -> int:
    return talk.segments[0].time - data[0][0] * 10**6
