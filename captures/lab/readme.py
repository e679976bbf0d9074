"""The README of each case: how it was made, and where to look, with frame numbers of this very recording."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from endpoints import Keepalive
from kernel import release, timer_hz
from stage import Capture, Scenario, Stage
from truth import ROLES, Evidence

WIDTH = 110
MOST_FRAMES = 12
MOST_CONNECTIONS = 12


def readme(stage: Stage, found: Sequence[Evidence]) -> str:
    """The text."""
    scenario = stage.scenario
    parts = [
        f"# {scenario.name}",
        textwrap.fill(scenario.title, WIDTH),
        "## How it was made",
        _bullets(_making(stage, found)),
        "## What to look at",
        textwrap.fill(scenario.look_at, WIDTH),
        _bullets(_frames(found)),
        "`truth.json` says what is true, from the script, the kernel's counters and the far ends.",
        "## Licence",
        "CC0 1.0: this recording, its truth and this text are dedicated to the public domain.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def renewed(text: str, scenario: Scenario) -> str:
    """A text with what its scenario dictates now, in place of what it dictated before."""
    parts = text.split("\n\n")
    made = parts[3].split("\n- ")
    made[1:4] = _bullets(_dictated(scenario)).removeprefix("- ").split("\n- ")
    parts[0], parts[1], parts[3] = f"# {scenario.name}", textwrap.fill(scenario.title, WIDTH), "\n- ".join(made)
    parts[5] = textwrap.fill(scenario.look_at, WIDTH)
    return "\n\n".join(parts)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(textwrap.fill(line, WIDTH, initial_indent="- ", subsequent_indent="  ") for line in lines)


def _making(stage: Stage, found: Sequence[Evidence]) -> Iterable[str]:
    hz = f", {timer_hz()} ticks a second" if timer_hz() else ""
    yield f"`python3 captures/lab/record.py --only {stage.scenario.name}` on Linux {release()}{hz}."
    yield from _dictated(stage.scenario)
    for number, one in enumerate(found[:MOST_CONNECTIONS]):
        for role in ROLES:
            keepalive = one.talk.end(role).keepalive
            if keepalive:
                yield settings_line(number, role, keepalive)
    if not any(one.talk.end(role).keepalive for one in found for role in ROLES):
        yield "No socket had keepalive switched on."
    yield from stage.notes
    if stage.losses_unknown:
        yield f"What was lost between the ends is not held against counters: {stage.losses_unknown}."
    if stage.dropped:
        rules = [f"{count} by `{rule}`" for rule, count in stage.dropped.items() if count]
        yield f"Packets dropped by rules of the router: {', '.join(rules) or 'none'}."


def _dictated(scenario: Scenario) -> Iterable[str]:
    yield f"The events in time are in `captures/lab/{scenario.play.__module__.replace('.', '/')}.py`."
    if scenario.single_host:
        yield "Client and server live in one network namespace and talk over its loopback device."
    else:
        yield "Client, router and server are network namespaces in a row, joined by veth pairs."
    yield f"Recorded {_place(scenario.capture)}."


def _place(capture: Capture) -> str:
    where = {"both": "on the loopback device", "router": "in the router"}.get(
        capture.vantage, f"at the {capture.vantage}"
    )
    options = " ".join([capture.program, "-i", capture.device, *capture.options])
    return f"{where} with `{options}`" + (", begun after the connection was made" if capture.starts_later else "")


def settings_line(number: int, role: str, keepalive: Keepalive) -> str:
    """What was set on one end of a connection."""
    text = f"TCP_KEEPIDLE {keepalive.time}, TCP_KEEPINTVL {keepalive.intvl}, TCP_KEEPCNT {keepalive.probes}"
    if keepalive.user_timeout_s is not None:
        text += f", TCP_USER_TIMEOUT {keepalive.user_timeout_s:g} s"
    return f"Connection {number}, {role}: {text}."


def _frames(found: Sequence[Evidence]) -> Iterable[str]:
    for number, one in enumerate(found[:MOST_CONNECTIONS]):
        groups = {"SYN": [s.frame for s in one.published if "S" in s.flags]}
        for role in ROLES:
            groups[f"{role}'s probes"] = [s.published.frame for s in one.keepalives(role) if s.published]
            groups[f"{role}'s zero-window probes"] = [s.published.frame for s in one.window_probes(role) if s.published]
        groups["FIN"] = [s.frame for s in one.published if "F" in s.flags]
        groups["RST"] = [s.frame for s in one.published if s.is_rst]
        listed = "; ".join(f"{name} {_numbers(frames)}" for name, frames in groups.items() if frames)
        client, server = one.talk.addresses
        yield f"Connection {number}, port {client[1]} to {server[1]}: {listed or 'no such frames'}."
    if len(found) > MOST_CONNECTIONS:
        yield f"And {len(found) - MOST_CONNECTIONS} connections more, which `truth.json` tells of."


def _numbers(frames: Sequence[int]) -> str:
    shown = ", ".join(map(str, frames[:MOST_FRAMES]))
    return shown + (f", ... {frames[-1]} ({len(frames)} in all)" if len(frames) > MOST_FRAMES else "")


def write(path: Path, stage: Stage, found: Sequence[Evidence]) -> None:
    """Write it beside the recording."""
    path.write_text(readme(stage, found), encoding="utf-8")
