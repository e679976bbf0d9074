"""The slow twin of what the kernels make of data at an even pace: every data segment of a connection, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

CLIENT, SERVER = "client", "server"
SILENCE_MS = 900
LONGEST = 128


@dataclass
class Beats:
    """Data of one length that one end sends at one pace."""

    length: int
    last: int
    sent: int = 1
    answered: int = 0
    waits: bool = True
    reply: int | None = None
    odd: int = 0
    gaps: list[int] = field(default_factory=list)

    def fits(self, gap: int) -> bool:
        """Whether the longest gap would not be longer than the shortest by more than three eighths."""
        gaps = [*self.gaps, gap]
        return not self.gaps or (max(gaps) - min(gaps)) * 8 <= 3 * min(gaps)

    @property
    def settled(self) -> bool:
        """Five, and one more for every eighth that their gaps differ beyond the first; for two, with replies."""
        eighths = 0
        while self.gaps and (max(self.gaps) - min(self.gaps)) * 8 > (eighths + 1) * min(self.gaps):
            eighths += 1
        return self.sent >= 5 + (eighths if self.reply is None else -(-eighths // 2))

    def has_length(self, length: int) -> bool:
        """As long as the first, or nearly so where every one of them draws the same reply."""
        return length == self.length or (self.reply is not None and abs(length - self.length) <= 8)

    def count(self, time: int) -> None:
        """One more."""
        self.sent, self.last, self.waits = self.sent + 1, time, True

    def replied(self, length: int, silence: int) -> bool:
        """Take the other end's data; return whether these may still be heartbeats."""
        if not self.waits:
            return self.settled
        self.waits = False
        self.answered += 1
        if length <= self.length + 8 and self.reply in (None, length):
            self.reply = length
            return True
        if self.settled and silence < SILENCE_MS:
            self.odd += 1
        return self.settled

    def keeps_pace(self, gap: int, silence: int) -> bool:
        """Whether one that is not in time is so because one is missing, or because of other data."""
        if not self.settled:
            return self.sent > 2 and self.fits(gap // 2)
        return self.fits(silence) or self.fits(gap // max(1, min(self.periods(gap), 3)))

    def periods(self, gap: int) -> int:
        """How many periods a gap is, by the middle between the shortest gap and the longest."""
        middle = (min(self.gaps) + max(self.gaps)) // 2
        return (gap + middle // 2) // middle

    def missed(self, time: int, same: bool) -> None:
        """Data at another time, or of another length, once these are settled."""
        gap = time - self.last
        self.odd += same != self.fits(gap) and self.periods(gap) <= 3
        self.last = time if gap >= min(self.gaps) else self.last

    def broken(self, same: bool) -> int:
        """What is odd about those that begin where these break off."""
        return self.odd + (self.odd > 0 or self.sent > (2 if same else 1))


def find_beats(data: Iterable[tuple[int, str, int]]) -> dict[str, Beats | None]:
    """What each end of a connection may send as heartbeats, from (milliseconds, sender, length) of all its data."""
    beats: dict[str, Beats | None] = {CLIENT: None, SERVER: None}
    last: tuple[int, str] | None = None
    for time, sender, length in data:
        other = SERVER if sender == CLIENT else CLIENT
        silence = time - last[0] if last else None
        theirs = beats[other]
        if theirs is not None and not theirs.replied(length, time if silence is None else silence):
            theirs = beats[other] = None
        beats[sender] = _after(beats[sender], theirs, sender, time, length, silence, last)
        last = (time, sender)
    return beats


def _after(
    mine: Beats | None,
    theirs: Beats | None,
    sender: str,
    time: int,
    length: int,
    silence: int | None,
    last: tuple[int, str] | None,
) -> Beats | None:
    """The sender's heartbeats after this data."""
    settled = mine is not None and mine.settled
    if length > LONGEST or (silence is not None and silence < SILENCE_MS):
        return mine if settled else None
    if mine is not None:
        gap = time - mine.last
        if mine.has_length(length) and mine.fits(gap):
            mine.gaps.append(gap)
            mine.count(time)
            return mine
        if mine.has_length(length) and mine.keeps_pace(gap, silence or 0):
            mine.count(time)
            return mine
        if settled:
            mine.missed(time, mine.has_length(length))
            return mine
    if last is not None and sender == SERVER and last[1] == CLIENT:
        own_accord = theirs is not None and theirs.sent > 1 and (silence or 0) > min(theirs.gaps) // 8
        if not own_accord:
            return None  # a reply, however late
    return Beats(length, time, odd=0 if mine is None else mine.broken(mine.has_length(length)))
