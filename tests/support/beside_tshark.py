"""What tshark and the analyzer find in the recordings, against what is true, as the README's table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from wireshark import LAST, fields

import analyzer
from analyzer.model.flows import Flow

ROOT = Path(__file__).parents[2]
SETTINGS = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")
FIELDS = ("tcp.srcport", "tcp.dstport", "tcp.analysis.keep_alive", "tcp.analysis.keep_alive_ack")
Json = dict[str, Any]
Counts = Counter[str]


def compare(found: int, true: int) -> Counts:
    """How many of those that are there were found, and how many were found that are not."""
    return Counter(there=true, found=min(found, true), false=max(0, found - true))


def tshark_counts(files: list[Path]) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    """Keep-alives and their ACKs as Wireshark flags them, by the ports of the prober and of its peer."""
    probes: Counter[tuple[int, int]] = Counter()
    answers: Counter[tuple[int, int]] = Counter()
    for file in files:
        for source, target, probe, answer in fields(file, FIELDS, LAST):
            if not source:
                continue
            probes[int(source), int(target)] += probe != ""
            answers[int(target), int(source)] += answer != ""
    return probes, answers


def by_ports(truth: Json) -> dict[tuple[int, int], tuple[int, int]]:
    """Probes and answers by the ports of the prober and of its peer: connections that share them are added up."""
    true: dict[tuple[int, int], tuple[int, int]] = {}
    for one in truth["connections"]:
        ports = one["client"]["port"], one["server"]["port"]
        for side, key in (("client", ports), ("server", ports[::-1])):
            before = true.get(key, (0, 0))
            true[key] = before[0] + one["probes"][side], before[1] + one["answers"][side]["answered"]
    return true


def flow_counts(flows: list[Flow]) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    """The same as the analyzer finds them."""
    probes: Counter[tuple[int, int]] = Counter()
    answers: Counter[tuple[int, int]] = Counter()
    for flow in flows:
        for entry in flow.keepalive:
            ports = (flow.client.port, flow.server.port)[:: 1 if entry.sender == "client" else -1]
            probes[ports[0], ports[1]] += entry.probes
            answers[ports[0], ports[1]] += entry.answered
    return probes, answers


def setting_counts(flows: list[Flow], truth: Json) -> Counts:
    """Settings that the recordings show, and how many of them are told right."""
    counts: Counts = Counter()
    for number, (flow, one) in enumerate(zip(flows, truth["connections"], strict=True)):
        told = {entry.sender: entry for entry in flow.keepalive}
        for side in ("client", "server"):
            for name in SETTINGS:
                path = f"connections.{number}.settings.{side}.{name}"
                real = truth["shown_instead"].get(path, (one["settings"][side] or {}).get(name))
                estimate = getattr(told.get(side), name, None)
                value = None if estimate is None else estimate.value
                hidden = any(path.startswith(other) for other in truth["not_shown"])
                shown = real is not None and (not hidden or path in truth["shown_instead"])
                counts["there"] += shown
                counts["found"] += shown and value == real
                counts["false"] += value is not None and value != real
    return counts


def main() -> None:
    """Print the table."""
    sums: dict[tuple[str, str], Counts] = {}

    def add(who: str, what: str, counts: Counts) -> None:
        sums.setdefault((who, what), Counter()).update(counts)

    truths = sorted(ROOT.glob("captures/*/truth.json"))
    for path in truths:
        truth = json.loads(path.read_text(encoding="utf-8"))
        files = sorted(path.parent.glob(truth["capture"]))
        flows = list(analyzer.analyze(*map(str, files), engine="plain").flows)
        true = by_ports(truth)
        for who, (probes, answers) in (("tshark", tshark_counts(files)), ("keepalive", flow_counts(flows))):
            for key in true.keys() | probes.keys():
                wanted = true.get(key, (0, 0))
                add(who, "probes", compare(probes[key], wanted[0]))
                add(who, "answers", compare(answers[key], wanted[1]))
        add("keepalive", "settings", setting_counts(flows, truth))
        right = sum(flow.verdict == one["verdict"] for flow, one in zip(flows, truth["connections"], strict=True))
        add("keepalive", "verdicts", Counter(there=len(flows), found=right, false=len(flows) - right))
    print(f"{len(truths)} recordings     {'there':>6}  {'tshark':>6} {'false':>6}  {'keepalive':>9} {'false':>6}")
    for what in ("probes", "answers", "settings", "verdicts"):
        ours, theirs = sums["keepalive", what], sums.get(("tshark", what))
        beside = f"{theirs['found']:>6} {theirs['false']:>6}" if theirs else f"{'-':>6} {'-':>6}"
        print(f"{what:17} {ours['there']:>6}  {beside}  {ours['found']:>9} {ours['false']:>6}")


if __name__ == "__main__":
    main()
