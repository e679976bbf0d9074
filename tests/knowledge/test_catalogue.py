"""The known settings: each fits its own, and names are given only as far as what was seen goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from commands import inside, keepalive
from conversation import CLIENT, Conversation
from observe import only_flow
from results import ROOT

from analyzer.knowledge.matching import FILES, _made, matching, middleboxes, profiles
from analyzer.knowledge.profiles import Profile
from analyzer.model.flows import Estimate, Keepalive
from analyzer.report.connections import profile_names

SYSTEM = {"tcp_keepalive_time": 7200, "tcp_keepalive_intvl": 75, "tcp_keepalive_probes": 9}
ANY = 23
WORDS = ("system", "n", "any")
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


@pytest.mark.parametrize("one", profiles(), ids=lambda one: one.name)
def test_settings_are_numbers_or_known_words(one: Profile) -> None:
    assert all(setting is None or isinstance(setting, int) or setting in WORDS for setting in one.settings)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"tcp_keepalive_tme": 60}, "unexpected keyword argument 'tcp_keepalive_tme'"), ({"sure": None}, "'sure'")],
)
def test_a_misspelt_field_of_a_row_is_told_with_file_and_row(change: dict[str, Any], says: str) -> None:
    row = {"name": "toy", "versions": "1", "on_by_default": True, "set_by": "nobody", "source": "here", "sure": "yes"}
    row = {name: value for name, value in {**row, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=f"^toys.toml: toy: .*{says}"):
        _made(Profile, "toys", row)


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
        ((50, 1, 10), {"probe_length": 1}, "Windows with SIO_KEEPALIVE_VALS"),
        ((50, None, None), {"probe_length": 1}, "Windows with SIO_KEEPALIVE_VALS"),
        ((45, None, None), {"probe_length": 1}, "Chrome / Chromium on Windows"),
        ((45, 45, 10), {"probe_length": 1}, "Chrome / Chromium on Windows"),
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


@pytest.mark.parametrize(
    ("settings", "length", "port", "name"),
    [
        ((30, 1, 10), 1, 1433, "SQL Server / SqlClient on Windows"),
        ((30, None, None), 1, 1433, "SQL Server / SqlClient on Windows"),
        ((30, 1, 9), 0, 1433, "SQL Server / SqlClient on Linux"),
        ((30, None, None), 0, 102, "Siemens SIMATIC Ethernet CP (ISO-on-TCP)"),
    ],
    ids=str,
)
def test_what_a_service_uses_is_named_there(
    settings: tuple[float | None, ...], length: int, port: int, name: str
) -> None:
    entry = seen(*settings, probe_length=length)
    assert matching(entry, port)[0] == name
    assert name not in matching(entry, 5432)


def test_only_the_best_are_named() -> None:
    """A prober whose interval and count are known to fit one is not said to be another's whose count is not known."""
    assert matching(seen(30, 5, 3)) == ("go-redis", "redis-py")
    assert all("Windows" in name for name in matching(seen(7200, 1, 10, probe_length=1)))


@pytest.mark.parametrize(("names", "said"), [(2, "a or b"), (3, "a or b or c"), (9, "9 known defaults")])
def test_many_names_are_no_answer(names: int, said: str) -> None:
    assert profile_names("abcdefghi"[:names]) == said


def test_every_row_says_where_it_is_from() -> None:
    rows: list[Any] = [*profiles(), *middleboxes()]
    for row in rows:
        assert len(row.source) > 5
        assert row.sure in ("yes", "fairly")
    assert len({row.name for row in profiles()}) == len(profiles())


def test_every_file_of_rows_is_read() -> None:
    files = {path.stem for path in (ROOT / "analyzer" / "knowledge" / "data").iterdir()}
    assert files == {*FILES, "middleboxes"}


def test_the_command_lists_and_shows_them() -> None:
    listed = inside("profiles")
    assert all(row.name in listed for row in profiles())
    assert all(row.name in listed for row in middleboxes())
    assert "300/100/3" in inside("profiles", "redis / valkey")
    assert "350 s" in inside("profiles", "nlb")
    assert keepalive("profiles", "no such thing").returncode == 2
