"""From pairs of captures that hold one traffic to the clock of each capture.

Files that a capture program began one after another have one clock: what is shown of one of them holds for all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from analyzer.model.captures import CaptureFacts, SameTraffic
from analyzer.pipeline.same_traffic.places import PATH_NS, Link, Span, find_links
from analyzer.pipeline.same_traffic.repeats import best_guess, find_repeats
from analyzer.pipeline.same_traffic.samples import Sample
from analyzer.pipeline.same_traffic.strangers import find_strangers

# Two clocks that differ by less are left as they are.
CLOCKS_AGREE_NS = 100_000
TRANSLATED = "addresses were translated between the two; "
UNDECIDED = (
    "nothing but packets that repeat themselves is shared with {}, and not at the same times: whether it is the same "
    "traffic by another clock cannot be decided, and packets may be counted twice (--same-traffic yes or no)"
)
NOTHING_SHARED = "--same-traffic yes: no packet of it is in {}: its clock stays as it is"
AS_ITS_RING = "its clock was set as that of {}, which was captured by the same program"


def find_places(
    samples: Sequence[Sample],
    captures: Sequence[CaptureFacts],
    *,
    join: str,
    translated: bool,
    whole: bool,
) -> None:
    """Note in `captures` which hold the same traffic as one before them, and set the clocks of those by it.

    `join` is `auto` or `yes`; with `translated` addresses may differ; `whole` says that the captures have been read to
    their ends. What was noted before is forgotten.
    """
    for facts in captures:
        facts.same_traffic, facts.clock_shift, facts.same_traffic_why = None, 0, ""
    samples = [sample for sample in samples if captures[sample.index].last_time is not None]
    spans = [_span_of(sample, captures[sample.index]) for sample in samples]
    if len(samples) < 2:
        return
    links = find_links(samples, spans, one_path=translated)
    if translated and not links:
        more = find_links(samples, spans, translated=True, one_path=True)
        links = [link._replace(why=TRANSLATED + link.why) for link in more]
    perhaps: list[Link] = []
    if whole:
        repeats, perhaps = find_repeats(samples, spans, {(link.one, link.other) for link in links})
        links += repeats
    if join == "yes" and whole:
        links += _guessed(samples, links, captures)
        perhaps = []
    _set_clocks(samples, links, captures)
    _set_rings({sample.index: span for sample, span in zip(samples, spans, strict=True)}, captures)
    if whole:
        find_strangers(samples, captures, [_ring_of(captures[sample.index].path) for sample in samples])
    for link in perhaps:
        facts = captures[link.other]
        if facts.same_traffic is None and not facts.same_traffic_why:
            facts.same_traffic_why = UNDECIDED.format(captures[link.one].path)


def _span_of(sample: Sample, facts: CaptureFacts) -> Span:
    """From when to when it ran; of a busy network what was looked at so far may be less than a round trip."""
    return Span(facts.first_time or 0, (facts.last_time or 0) + (PATH_NS if sample.goes_on else 0))


def _guessed(samples: Sequence[Sample], links: Sequence[Link], captures: Sequence[CaptureFacts]) -> list[Link]:
    """Links to the first capture for those that have none, on whatever there is."""
    linked = {link.other for link in links}
    found = []
    for place, sample in enumerate(samples[1:], 1):
        if sample.index in linked:
            continue
        link = best_guess(samples, 0, place)
        if link is not None:
            found.append(link)
        else:
            captures[sample.index].same_traffic_why = NOTHING_SHARED.format(captures[samples[0].index].path)
    return found


def _set_clocks(samples: Sequence[Sample], links: Sequence[Link], captures: Sequence[CaptureFacts]) -> None:
    """By the link to an earlier capture that most packets show."""
    for sample in sorted(samples, key=lambda sample: sample.index):
        facts = captures[sample.index]
        mine = [link for link in links if link.other == sample.index]
        if not mine:
            continue
        best = max(mine, key=lambda link: (link.packets, -link.one))
        facts.same_traffic = SameTraffic(best.one, best.ahead, best.packets)
        facts.same_traffic_why = best.why
        facts.clock_shift = captures[best.one].clock_shift + (best.ahead if abs(best.ahead) > CLOCKS_AGREE_NS else 0)


def _set_rings(spans: dict[int, Span], captures: Sequence[CaptureFacts]) -> None:
    """Set the clocks of captures that share nothing as that of the next one of their ring which does."""
    shifted = [index for index in spans if captures[index].clock_shift]
    if not shifted:
        return
    rings: dict[str, list[int]] = {}
    for index in sorted(spans, key=lambda index: _natural(captures[index].path)):
        rings.setdefault(_ring_of(captures[index].path), []).append(index)
    for ring in rings.values():
        for place, index in enumerate(ring):
            facts = captures[index]
            if facts.same_traffic is not None or _is_referred_to(index, captures):
                continue
            known = [other for other in ring if captures[other].same_traffic or _is_referred_to(other, captures)]
            nearest = min(known, key=lambda other: _far(ring, place, other, captures), default=None)
            if nearest is None or not captures[nearest].clock_shift or _overlap(spans[index], spans[nearest]):
                continue
            facts.clock_shift = captures[nearest].clock_shift
            facts.same_traffic_why = AS_ITS_RING.format(captures[nearest].path)


def _far(ring: list[int], place: int, other: int, captures: Sequence[CaptureFacts]) -> tuple[int, int]:
    """How unlike the names of two captures of a ring are: by where they begin to differ, then by their order."""
    names = zip(captures[ring[place]].path, captures[other].path, strict=False)
    same = sum(1 for _ in takewhile(lambda letters: letters[0] == letters[1], names))
    return -same, abs(ring.index(other) - place)


def _is_referred_to(index: int, captures: Sequence[CaptureFacts]) -> bool:
    return any(facts.same_traffic and facts.same_traffic.capture == index for facts in captures)


def _overlap(one: Span, other: Span) -> bool:
    return one.first < other.last and other.first < one.last


def _ring_of(path: str) -> str:
    """What files have in common that one program wrote after another: all but the numbers in their names."""
    return str(Path(path).parent / re.sub(r"\d+", "#", Path(path).name))


def _natural(path: str) -> list[tuple[int, str]]:
    """A key that has numbers in names in order of their size."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
