"""What is noted of the scans of a directory of results: how captures were understood, and whether all is there."""

from __future__ import annotations

import json
from typing import NamedTuple

from analyzer.errors import UsageError
from analyzer.fleet.folder import Folder

VERSION = 2
STATE, CAPTURES = "scan.json", "captures.json"
MOST_PARTITIONS = 1024


class Settings(NamedTuple):
    """How captures are understood: alike in all scans of one directory of results."""

    split_tunnels: bool = False
    same_traffic: str = "auto"


class State(NamedTuple):
    """What is noted of the scans of a directory; `whole` says that all results are there."""

    version: int
    partitions: int
    settings: Settings
    whole: bool


def whole_state(folder: Folder) -> State:
    """What is noted of whole results; raises UsageError where there are none."""
    state = read_state(folder)
    if state is None:
        raise UsageError(f"{folder.address} holds no results of `keepalive scan`")
    if not state.whole:
        raise UsageError(
            f"{folder.address} holds an interrupted scan: `keepalive scan ... -o {folder.address} --resume` takes it up"
        )
    return state


def read_state(folder: Folder) -> State | None:
    """What is noted of the scans of this directory; None before the first. Raises UsageError for what is no such."""
    if not folder.exists(STATE):
        return None
    try:
        version, partitions, settings, whole = (json.loads(folder.read(STATE))[name] for name in State._fields)
        if version == VERSION:
            state = State(version, int(partitions), Settings(**settings), bool(whole))
            if not 0 < state.partitions <= MOST_PARTITIONS:
                raise ValueError(f"{state.partitions} partitions")
            return state
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder.at(STATE)} cannot be understood ({error}): scan into another directory") from error
    raise UsageError(f"{folder.address} was written by another version: scan into another directory")


def write_state(folder: Folder, state: State) -> None:
    """Note that."""
    folder.write(STATE, json.dumps(state._asdict() | {"settings": state.settings._asdict()}, indent=1).encode())
