"""The gallery of all recordings: a line each, with the truth in words, and what to look at."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stage import Scenario

ROLES = ("client", "server")
HEAD = """\
# Recordings with known truth

Each directory holds a recording of a real kernel, and of real programs where the name says so, `truth.json` with what
is true of it, and a README that says how it was made and which frames to look at. Open them in Wireshark; analyse them
with `keepalive analyze captures/NAME/capture.*`. All of them are CC0 1.0. This page is written by `make captures`,
which records them anew (`captures/lab/README.md`).

`3/2/4` stands for tcp_keepalive_time 3 s, tcp_keepalive_intvl 2 s and tcp_keepalive_probes 4, of the client or of the
server; `4 probes, 3 answered` are keepalive probes in this recording.

| recording | what happens | truth | look at |
|---|---|---|---|
"""


def write(captures: Path, known: Mapping[str, Scenario]) -> None:
    """Write it beside the recordings that are there."""
    (captures / "README.md").write_text(gallery(captures, known), encoding="utf-8")


def gallery(captures: Path, known: Mapping[str, Scenario]) -> str:
    """The text."""
    rows = []
    for name, scenario in sorted(known.items()):
        truth_path = captures / name / "truth.json"
        if truth_path.exists():
            truth = json.loads(truth_path.read_text(encoding="utf-8"))
            rows.append(f"| [{name}]({name}/) | {scenario.title} | {words(truth)} | {scenario.look_at} |")
    return HEAD + "\n".join(rows) + "\n"


def words(truth: Mapping[str, Any]) -> str:
    """What is true of all its connections."""
    connections = truth["connections"]
    if len(connections) > 2:
        verdicts = Counter(connection["verdict"] for connection in connections)
        return "; ".join(f"{count} `{verdict}`" for verdict, count in verdicts.most_common())
    return "; ".join(", ".join(_connection(connection)) for connection in connections)


def _connection(connection: Mapping[str, Any]) -> Iterator[str]:
    ending = connection["ending"]
    yield f"`{connection['verdict']}`"
    why = f": {ending['why'].replace('_', ' ')}" if ending["why"] else ""
    yield ending["how"].replace("_", " ") + (f" by {ending['by']}" if ending["by"] else "") + why
    for role in ROLES:
        settings, probes = connection["settings"][role], connection["probes"][role]
        if settings:
            numbers = (settings[f"tcp_keepalive_{name}"] for name in ("time", "intvl", "probes"))
            timeout = settings["user_timeout_s"]
            yield f"{role} {'/'.join(map(str, numbers))}" + (f" and user timeout {timeout:g} s" if timeout else "")
        if probes:
            yield f"{probes} probes, {connection['answers'][role]['answered']} answered"
        if connection["zero_window_probes"][role]:
            yield f"{connection['zero_window_probes'][role]} zero-window probes of the {role}"
