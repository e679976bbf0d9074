"""Scenarios recorded otherwise: cut into the files of a rotated set, or at a second place whose clock is another."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import publishing
from stage import Capture, Scenario

# What is lost between two places one of them has seen: whether it was answered depends on whom one asks.
ONE_PLACE_ALONE = ("lossy",)
ELSEWHERE = {"client": ["router", "server"], "router": ["client", "server"], "server": ["client", "router"]}
# Beside the router's link to the client, on which the first recording is made there.
FAR_SIDE = {"client": "c0", "router": "rs", "server": "s0"}
# What clocks are apart by: badly kept, not kept at all, or kept in another time zone.
APART = [(0.004, 0.09), (0.2, 4.0), (15.0, 400.0), (3599.0, 3601.0)]


def rotated(rng: random.Random, scenario: Scenario) -> Scenario:
    """The recording is cut into several files, anywhere."""
    cuts = sorted(rng.random() for _ in range(rng.randint(2, 5)))

    def publish(recording: Path, folder: Path) -> None:
        publishing.cut(recording, folder, cuts)

    name = f"capture.*{Path(scenario.capture.file_name).suffix}"
    capture = replace(scenario.capture, publish=publish, published=name, counted=scenario.capture.interface is None)
    return _told(scenario, capture, "rotated", f"The recording is cut into {len(cuts) + 1} files.")


def places(rng: random.Random, scenario: Scenario) -> Scenario:
    """The path is recorded at two places, whose clocks are apart."""
    first = replace(scenario.capture, interface=None, options=())
    second, apart = rng.choice(ELSEWHERE[first.vantage]), rng.choice([-1, 1]) * rng.uniform(*rng.choice(APART))
    device = FAR_SIDE[second]
    if "unplugged" in scenario.name and second == "server":
        second, device = ("router", "rs") if first.vantage == "client" else ("client", "c0")

    def publish(recording: Path, folder: Path) -> None:
        publishing.with_second(recording, folder, apart)

    name = f"capture.*{Path(first.file_name).suffix}"
    capture = replace(first, publish=publish, published=name, counted=True, second=second, second_device=device)
    told = f"Recorded at the {first.vantage} and at the {second}, whose clock is {apart:+.3f} s off."
    findings = [one for one in scenario.findings if one != "duplicate-capture"]
    return replace(_told(scenario, capture, "places", told), findings=findings)


def _told(scenario: Scenario, capture: Capture, kind: str, title: str) -> Scenario:
    story = scenario.name.removeprefix("random-")
    number, _, story = story.partition("-")
    return replace(scenario, name=f"random-{number}-{kind}-{story}", title=f"{scenario.title} {title}", capture=capture)


KINDS: dict[str, Callable[[random.Random, Scenario], Scenario]] = {"rotated": rotated, "places": places}
