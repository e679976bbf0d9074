"""Snippets of configuration: each program accepts its own, and refuses the same with one word misspelt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from snippet_checks import BY_DOCUMENTATION, COMPILERS, KEPT, PROGRAMS, TIMING

from analyzer.knowledge.snippets import SNIPPETS, Snippet, Timing, every_snippet, snippets_for

CHECKED = [one for one in SNIPPETS if one.software in PROGRAMS]
# One word of each, and what nobody would know.
WORDS = {
    "nginx": "so_keepalive",
    "HAProxy": "tcpka-idle",
    "OpenSSH client": "AliveInterval",
    "OpenSSH server": "AliveInterval",
    "Redis": "tcp-keepalive",
    "libpq": "keepalives_idle",
    "Linux": "tcp_keepalive_time",
    "Python": "TCP_KEEPIDLE",
}


def name(one: Snippet) -> str:
    """The program and the place."""
    return f"{one.software} {one.where}"


@pytest.mark.parametrize("one", CHECKED, ids=name)
def test_the_program_accepts_it(one: Snippet, tmp_path: Path) -> None:
    assert PROGRAMS[one.software](one.filled(TIMING), tmp_path) == ""


@pytest.mark.parametrize("one", CHECKED, ids=name)
def test_the_program_refuses_a_misspelt_one(one: Snippet, tmp_path: Path) -> None:
    word = WORDS[one.software]
    lines = [line.replace(word, f"{word}X") for line in one.filled(TIMING)]
    assert lines != list(one.filled(TIMING))
    assert PROGRAMS[one.software](lines, tmp_path) != ""


@pytest.mark.parametrize("software", COMPILERS)
def test_what_a_large_program_accepted_is_what_is_shown(software: str) -> None:
    kept = json.loads(KEPT.read_text())[software]
    [one] = [one for one in SNIPPETS if one.software == software]
    assert list(one.filled(TIMING)) == kept["lines"], (
        "run tests/support/snippet_checks.py --write where it is installed"
    )


def test_every_snippet_is_checked_by_something_and_dated() -> None:
    assert {one.software for one in SNIPPETS} == {*PROGRAMS, *COMPILERS, *BY_DOCUMENTATION}
    assert all(one.since and one.source and one.where for one in SNIPPETS)


@pytest.mark.parametrize("timing", [Timing(60, 10, 3), Timing(8, 8, 3), Timing(1, 1, 1)])
def test_heartbeats_are_as_quick_as_the_probes_would_be_and_never_rarer(timing: Timing) -> None:
    ssh = dict(line.split() for line in snippets_for(22, "client")[0].filled(timing))
    assert int(ssh["ServerAliveInterval"]) <= timing.idle
    assert int(ssh["ServerAliveInterval"]) * int(ssh["ServerAliveCountMax"]) <= max(timing.total, timing.probes)
    [redis] = snippets_for(6379, "server")[0].filled(timing)
    assert 1 <= int(redis.split()[1]) <= timing.idle


def test_the_port_and_the_side_choose() -> None:
    assert [one.where for one in snippets_for(443, "server")] == ["server block", "frontend"]
    assert [one.where for one in snippets_for(443, "proxy")] == ["backend"]
    assert snippets_for(443, "client") == []
    assert snippets_for(7100, "server") == []
    assert "listen 8443 so_keepalive=60s:10s:3;" in snippets_for(8443, "server")[0].text(Timing(60, 10, 3), 8443)


def test_all_together_name_each_version() -> None:
    text = every_snippet(Timing(60, 10, 3))
    assert all(f"{one.software}, {one.where} (since {one.since}):" in text for one in SNIPPETS)
    assert "$" not in text
