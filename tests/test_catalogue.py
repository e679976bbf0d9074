"""The known settings: each fits its own, and names are given only as far as what was seen goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from commands import inside, keepalive
from conversation import CLIENT, Conversation
from observe import only_flow

from analyzer.diagnose.catalogue import matching, middleboxes, profiles
from analyzer.known import Profile
from analyzer.model import Estimate, Keepalive

SYSTEM = {"tcp_keepalive_time": 7200, "tcp_keepalive_intvl": 75, "tcp_keepalive_probes": 9}
ANY = 23
# The others leave all of it to the system, or to whoever uses them.
WITH_SETTINGS = [one for one in profiles() if set(one.settings) - {"system", None}]
WITH_TIME = [one for one in WITH_SETTINGS if isinstance(one.tcp_keepalive_time, int)]


def seen(time: float | None, intvl: float | None, count: float | None, **form: Any) -> Keepalive:
    """A prober with these settings, exactly known or not at all."""
    [entry] = only_flow(Conversation().handshake().idle(15).probe(CLIENT)).keepalive
    estimates = [None if one is None else Estimate(one, one, one, 3) for one in (time, intvl, count)]
    known: dict[str, Any] = dict(zip(SYSTEM, estimates, strict=True))
    return replace(entry, **known, **form)


def own(profile: Profile) -> Keepalive:
    """What a connection with these settings shows when all of it can be seen."""
    values = []
    for name, setting in zip(SYSTEM, profile.settings, strict=True):
        values.append(SYSTEM[name] if setting == "system" else ANY if setting in ("n", "any", None) else int(setting))
    return seen(*values, probe_length=profile.probe_length, without_timestamps=not profile.timestamps)


@pytest.mark.parametrize("profile", WITH_SETTINGS, ids=lambda one: one.name)
def test_a_profile_fits_its_own_settings(profile: Profile) -> None:
    assert profile.name in matching(own(profile))


@pytest.mark.parametrize("profile", WITH_TIME, ids=lambda one: one.name)
def test_a_profile_does_not_fit_other_settings(profile: Profile) -> None:
    time = int(profile.tcp_keepalive_time or 0)
    assert profile.name not in matching(replace(own(profile), tcp_keepalive_time=Estimate(time + 1, time + 1, None, 1)))
    assert profile.name not in matching(replace(own(profile), probe_length=1 - profile.probe_length))


@pytest.mark.parametrize(
    ("settings", "form", "first"),
    [
        ((15, 15, 9), {}, "Go net.Dialer"),
        ((300, 100, 3), {}, "Redis"),
        ((7200, 75, 9), {}, "Linux"),
        ((7200, 75, 8), {}, "macOS"),
        ((7200, 1, 10), {"probe_length": 1}, "Windows Vista"),
        ((45, 1, 10), {"probe_length": 1}, "Windows with SIO_KEEPALIVE_VALS"),
        ((7, 7, 9), {}, "Go net.Dialer{KeepAlive: n seconds}"),
        ((7, 7, None), {}, "Go net.Dialer{KeepAlive: n seconds}"),
        ((20, 3, 4), {}, "FreeRTOS"),
    ],
    ids=str,
)
def test_the_best_comes_first(settings: tuple[float | None, ...], form: dict[str, Any], first: str) -> None:
    assert matching(seen(*settings, **form))[0].startswith(first)


def test_sixty_sixty_nine_is_several_things() -> None:
    names = matching(seen(60, 60, 9))
    assert {"libcurl", "curl command line tool", "Go net.Dialer{KeepAlive: n seconds}"} <= set(names)
    assert "Linux NFS/SunRPC client" not in names


@pytest.mark.parametrize("settings", [(None, None, None), (None, None, 9), (3, 2, 4), (17, None, None)], ids=str)
def test_what_fits_nothing_has_no_name(settings: tuple[float | None, ...]) -> None:
    assert matching(seen(*settings)) == ()


def test_every_row_says_where_it_is_from() -> None:
    rows: list[Any] = [*profiles(), *middleboxes()]
    for row in rows:
        assert len(row.source) > 5
        assert row.sure in ("yes", "fairly")
    assert len({row.name for row in profiles()}) == len(profiles())


def test_the_command_lists_and_shows_them() -> None:
    listed = inside("profiles")
    assert all(row.name in listed for row in profiles())
    assert all(row.name in listed for row in middleboxes())
    assert "300/100/3" in inside("profiles", "redis / valkey")
    assert "350 s" in inside("profiles", "nlb")
    assert keepalive("profiles", "no such thing").returncode == 2
