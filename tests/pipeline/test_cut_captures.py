"""Every recording, cut into files anywhere, tells what it tells in one; also without what numbers its packets.

A sample by a fixed seed; in the long form every cut into two files and many into more: an hour.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from captures_in_bytes import SECOND, Captured
from cut_captures import cut, differences, file_of, packets_in, story, unnumbered
from results import CAPTURES, ROOT
from samples import LONG, OF_EACH_KIND

LARGE = 400  # packets: of more, the story of which takes most of a second, so many cuts
RECORDINGS = [path for path in CAPTURES if path.parent.name != "crowd" or LONG]
each_kind = pytest.mark.parametrize(
    "recording", [path for path in OF_EACH_KIND if path in RECORDINGS], ids=lambda path: path.parent.name
)
FORMS: dict[str, Callable[[Sequence[Captured]], list[Captured]]] = {
    "as_recorded": lambda packets: list(packets),
    "unnumbered": unnumbered,
}
# What numbers packets makes it easier to join files: of those that are as recorded each kind is enough.
CUT = [(path, form) for path in RECORDINGS for form in FORMS if form == "unnumbered" or path in OF_EACH_KIND]


@cache
def packets_of(recording: Path, form: str) -> list[Captured]:
    """A recording's packets in this form."""
    return FORMS[form](packets_in(recording))


def bounds_of(packets: Sequence[Captured]) -> list[int]:
    """Where a file may end: at each packet but those that are older than one before, which a merge puts in order."""
    latest = list(accumulate((packet.time for packet in packets), max))
    earliest = list(accumulate((packet.time for packet in reversed(packets)), min))[::-1]
    return [at for at in range(1, len(packets)) if latest[at - 1] <= earliest[at]]


def sampled_cuts(packets: Sequence[Captured], seed: str) -> Iterator[list[int]]:
    """Ways to cut these packets: into two, into three to six, into a dozen and more."""
    rng, bounds = random.Random(seed), bounds_of(packets)
    if not bounds:
        return
    in_two = [[bound] for bound in bounds]
    at_most = LARGE if LONG else 1
    yield from in_two if len(in_two) <= at_most else rng.sample(in_two, at_most)
    for _ in range(30 if LONG else 1):
        yield sorted(rng.sample(bounds, min(rng.randint(2, 5), len(bounds))))
    for _ in range(6 if LONG else 1):
        yield sorted(rng.sample(bounds, min(rng.randint(11, 19), len(bounds))))


@pytest.mark.parametrize(("recording", "form"), CUT, ids=lambda value: getattr(value, "parent", Path(str(value))).name)
def test_cut_anywhere(tmp_path: Path, recording: Path, form: str) -> None:
    packets = packets_of(recording, form)
    whole = story(cut(packets, [], tmp_path))
    for bounds in sampled_cuts(packets, f"{recording.parent.name} {form}"):
        parts = story(cut(packets, bounds, tmp_path))
        assert differences(whole, parts) == [], bounds
        assert (parts["joined"], parts["why"]) == ([], []), bounds


@each_kind
def test_cut_with_a_gap(tmp_path: Path, recording: Path) -> None:
    """Where the capture was off for a while the files tell what one file with the same gap tells."""
    packets = packets_of(recording, "unnumbered")
    rng, bounds = random.Random(f"gap {recording.parent.name}"), bounds_of(packets)
    if len(bounds) < 2:
        return
    for _ in range(20 if LONG else 1):
        begin, end = sorted(rng.sample(bounds, 2))
        left = [*packets[:begin], *packets[end:]]
        whole = story(cut(left, [], tmp_path))
        parts = story(cut(left, [begin], tmp_path))
        assert differences(whole, parts) == [], (begin, end)
        assert parts["joined"] == [], (begin, end)


def outcome(whole: Any) -> Any:
    """What two places cannot change: not which of the copies of a packet came first, nor how many there are."""
    return {"flows": whole["flows"], "hosts": whole["hosts"]}


@each_kind
def test_rings_of_two_places(tmp_path: Path, recording: Path) -> None:
    """A second place holds the same packets, cut elsewhere, by a clock of its own: nothing else is told."""
    packets = packets_of(recording, "as_recorded")
    bounds = bounds_of(packets)
    if len(bounds) < 12 or packets[-1].time - packets[0].time < 2 * SECOND:
        return
    rng = random.Random(f"places {recording.parent.name}")
    whole = story(cut(packets, [], tmp_path))
    for ahead in (0, 34_650_000_000, -5 * 3600 * SECOND) if LONG else (34_650_000_000,):
        moved = [packet._replace(time=packet.time + ahead) for packet in packets]
        # So that two files share a third of it: of what is less nothing can be shown.
        here, there = [rng.choice(bounds[: len(bounds) // 3])], [rng.choice(bounds[-(len(bounds) // 3) :])]
        paths = cut(packets, here, tmp_path)
        for number, (begin, end) in enumerate(zip([0, *there], [*there, len(packets)], strict=True)):
            paths.append(tmp_path / f"there-{number}.pcap")
            paths[-1].write_bytes(file_of(moved[begin:end]))
        both = story(paths)
        assert both["joined"], (here, there, ahead)
        assert differences(outcome(whole), outcome(both)) == [], (here, there, ahead)


@pytest.mark.parametrize("ahead", [23_500_000, -230_000_000, 700_000_000, 2_500_000_000])
@pytest.mark.parametrize("name", ["lost-state", "dead-peer", "lost-state-client"])
def test_a_short_talk_at_two_places_whose_clocks_nearly_agree(tmp_path: Path, name: str, ahead: int) -> None:
    """Most of its packets lie at the beginning, before the other file's first by the clocks as they are."""
    packets = packets_in(ROOT / "captures" / name / "capture.pcap")
    whole = story(cut(packets, [], tmp_path))
    paths = [*cut(packets, [], tmp_path), tmp_path / "there.pcap"]
    paths[-1].write_bytes(file_of([packet._replace(time=packet.time + ahead) for packet in packets]))
    both = story(paths)
    assert both["joined"]
    assert differences(outcome(whole), outcome(both)) == []


def test_a_file_that_begins_with_late_copies_is_no_other_place(tmp_path: Path) -> None:
    """The network's second copies, up to 0.7 s late, lie in the next file; a rotation cut them off from the first."""
    [recording] = (ROOT / "captures" / "copies-on-the-path").glob("capture.pcap*")
    packets = packets_in(recording)
    whole = story(cut(packets, [], tmp_path))
    for bound in range(78, 96):
        parts = story(cut(packets, [bound], tmp_path))
        assert (differences(whole, parts), parts["joined"]) == ([], []), bound


def test_the_recorded_rotated_set_cut_once_more(tmp_path: Path) -> None:
    files = sorted((ROOT / "captures" / "rotated-set").glob("capture.*"))
    packets = [packet for file in files for packet in packets_in(file)]
    whole = story(cut(packets, [], tmp_path))
    assert differences(whole, story(files)) == []
    for bound in bounds_of(packets):
        assert differences(whole, story(cut(packets, [bound], tmp_path))) == []
