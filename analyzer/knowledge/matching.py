"""The known defaults of systems, runtimes, servers and middleboxes (data/*.toml), and which fit settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from analyzer.model.flows import SETTINGS

if TYPE_CHECKING:
    from analyzer.knowledge.profiles import Middlebox, Profile
    from analyzer.model.flows import Estimate, HostSettings, Keepalive

    Row = TypeVar("Row", Profile, Middlebox)

# In the order in which those that fit equally well are named.
FILES = ("systems", "runtimes", "libraries", "servers", "tools", "drivers")
# What is left to the system: the interval of Linux and the BSDs; the counts of Linux and of the BSDs and macOS.
SYSTEM = {"tcp_keepalive_time": (7200,), "tcp_keepalive_intvl": (75,), "tcp_keepalive_probes": (9, 8)}


def _rows(name: str, kind: str) -> list[dict[str, Any]]:
    import tomllib

    # Not by importlib.resources, which takes longer to import than all the files to read.
    with (Path(__file__).parent / "data" / f"{name}.toml").open("rb") as file:
        rows: list[dict[str, Any]] = tomllib.load(file)[kind]
    return rows


@cache
def profiles() -> tuple[Profile, ...]:
    """All known settings."""
    from analyzer.knowledge.profiles import Profile

    return tuple(_made(Profile, name, row) for name in FILES for row in _rows(name, "profile"))


@cache
def middleboxes() -> tuple[Middlebox, ...]:
    """All known idle timeouts."""
    from analyzer.knowledge.profiles import Middlebox

    return tuple(_made(Middlebox, "middleboxes", row) for row in _rows("middleboxes", "middlebox"))


def _made(kind: type[Row], file: str, row: dict[str, Any]) -> Row:
    """A row as an object; raises ValueError where it lacks a field, or has one that there is not."""
    try:
        return kind(**{**row, "ports": tuple(row.get("ports", ()))})
    except TypeError as error:
        raise ValueError(f"{file}.toml: {row.get('name', 'a row without a name')}: {error}") from error


class _Seen(NamedTuple):
    """What is known of one setting, in whole numbers: many connections share it."""

    value: int | None
    low: int
    high: int | None

    @classmethod
    def of(cls, estimate: Estimate | None) -> _Seen | None:
        if estimate is None:
            return None
        value = None if estimate.value is None else round(estimate.value)
        low = 0 if estimate.low is None else math.floor(estimate.low)
        return cls(value, low, None if estimate.high is None else math.ceil(estimate.high))

    def allows(self, number: int) -> bool:
        """Whether the setting may be this number."""
        if self.value is not None:
            return number == self.value
        return self.low <= number and (self.high is None or number <= self.high)


def matching(keepalive: Keepalive, port: int | None = None) -> tuple[str, ...]:
    """The names of the profiles that fit these settings, this form of probe and this service best, all equally well.

    None without a setting. Where there are many, the settings are common, and no name is an answer.
    """
    return fitting(keepalive, keepalive.probe_length, keepalive.without_timestamps, port)


def fitting(
    settings: Keepalive | HostSettings, probe_length: int, without_timestamps: bool, port: int | None
) -> tuple[str, ...]:
    """The same for the settings of one prober, or of a host, and a form of probe."""
    seen = tuple(_Seen.of(getattr(settings, field)) for field in SETTINGS)
    return _matching(seen, probe_length, without_timestamps, port)


@cache
def matcher(port: int) -> Callable[[Keepalive], tuple[str, ...]]:
    """`matching` for a service; the same each time, so that connections that are alike are equal."""
    return partial(matching, port=port)


@cache
def _matching(
    seen: tuple[_Seen | None, ...], probe_length: int, without_timestamps: bool, port: int | None
) -> tuple[str, ...]:
    if not any(one is not None and one.value is not None for one in seen[:2]):
        return ()
    ranked = []
    for place, profile in enumerate(profiles()):
        # Only a probe of one byte is known to come without timestamps from systems that send them otherwise.
        bare = without_timestamps and not probe_length
        fits = profile.probe_length == probe_length and not (bare and profile.timestamps)
        fits = fits and (not profile.ports or port is None or port in profile.ports)
        score = _score(profile, seen) if fits else 0
        if score:
            ranked.append((-score - (port in profile.ports), place, profile.name))
    ranked.sort()
    return tuple(name for score, _, name in ranked if score == ranked[0][0])


def _score(profile: Profile, seen: tuple[_Seen | None, ...]) -> int:
    """How much of what was seen a profile explains; 0 when it contradicts, or explains nothing of its own."""
    score = own = 0
    for field, setting, one in zip(SETTINGS, profile.settings, seen, strict=True):
        if one is None:
            continue
        if isinstance(setting, int):
            if not one.allows(setting):
                return 0
            own += one.value is not None
            score += 4 * (one.value is not None)
        elif setting == "system":
            if not any(one.allows(number) for number in SYSTEM[field]):
                return 0
            score += 4 * (one.value is not None)  # what it is meant to be, if not by its own
        elif setting == "any":
            own += 1
            score += 1
    if profile.tcp_keepalive_time == profile.tcp_keepalive_intvl == "n":
        time, intvl = seen[:2]
        if time is None or intvl is None or time.value is None or time.value != intvl.value:
            return 0
        return score + 8  # as good as two that fit
    return score if own else 0
