"""What the analyzer says of a recording, against the truth that stands with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from compare import leaves
from results import result

SIDES = ("client", "server")
SETTINGS = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")
Json = dict[str, Any]
# Where a recording cannot show the truth; or what its truth says that it shows instead.
HIDDEN = ["UNKNOWN", None]


def truth_of(path: Path) -> Json:
    truth: Json = json.loads(path.read_text(encoding="utf-8"))
    return truth


def claims(flow: Json) -> Json:
    """What the analyzer claims of a connection, in the shape of a truth."""
    by_sender = {entry["sender"]: entry for entry in flow["keepalive"]}
    entries = {side: by_sender.get(side, {}) for side in SIDES}
    answers = ("answered", "unanswered", "reset")
    return {
        "client": flow["client"],
        "server": flow["server"],
        "roles": flow["roles"],
        "probes": {side: entries[side].get("probes", 0) for side in SIDES},
        "answers": {side: {name: entries[side].get(name, 0) for name in answers} for side in SIDES},
        "probe_length": {side: entries[side].get("probe_length") for side in SIDES},
        "zero_window_probes": flow["zero_window_probes"],
        "handshake": flow["handshake"],
        "state": flow["state"],
        "ending": {name: flow["ending"][name] for name in ("how", "by", "why")},
        "verdict": flow["verdict"],
        "settings": {side: {name: entries[side].get(name) for name in SETTINGS} for side in SIDES},
    }


def is_hidden(path: str, not_shown: list[str]) -> bool:
    """Whether a path lies at or below one that the recording cannot show."""
    return any(path == hidden or path.startswith(hidden + ".") for hidden in not_shown)


def swapped(flow: Json) -> Json:
    """The same claims with the roles exchanged: a guess may take the server for the client."""
    other = dict(zip(SIDES, reversed(SIDES), strict=True))

    def turn(node: Any) -> Any:
        if isinstance(node, dict):
            return {other.get(key, key): turn(value) for key, value in node.items()}
        return other.get(node, node) if isinstance(node, str) else node

    turned: Json = turn(flow)
    return turned


def disagreements(path: Path) -> Json:
    """What the analyzer says otherwise than a truth, and what it might have said, by dotted path."""
    truth = truth_of(path)
    whole = result(path.parent / truth["capture"])
    flows = [claims(flow) for flow in whole["flows"]]
    if len(flows) != len(truth["connections"]):
        return {"connections": (len(flows), [len(truth["connections"])])}
    for i, (said, true) in enumerate(zip(flows, truth["connections"], strict=True)):
        if said["roles"] == true["roles"] == "guess" and said["client"] != true["client"]:
            flows[i] = swapped(said)
    estimates = [flow.pop("settings") for flow in flows]
    wanted = [{name: true[name] for name in said} for said, true in zip(flows, truth["connections"], strict=True)]
    told = dict(leaves({"connections": flows}))
    wrong = {}
    for name, value in leaves({"connections": wanted}):
        allowed = [value]
        if is_hidden(name, truth["not_shown"]):
            instead = truth["shown_instead"]
            allowed += [instead[name]] if name in instead else HIDDEN
        if name not in told or told[name] not in allowed:
            wrong[name] = (told.get(name), allowed)
    for i, (estimated, true) in enumerate(zip(estimates, truth["connections"], strict=True)):
        for side in SIDES:
            for name in SETTINGS:
                path_of_it, real = f"connections.{i}.settings.{side}.{name}", (true["settings"][side] or {}).get(name)
                if not is_fair(estimated[side][name], real, path_of_it, truth):
                    wrong[path_of_it] = (estimated[side][name], [real])
    wrong |= wrong_timeouts(whole["flows"], truth) | wrong_pools(whole["hosts"], truth)
    wrong |= wrong_beats(whole["flows"], truth) | wrong_packets(whole["flows"], truth)
    found, expected = {finding["rule"] for finding in whole["findings"]}, set(truth["findings"])
    if found != expected and not ("findings" in truth["chance"] and found < expected):
        wrong["findings"] = (sorted(found), [truth["findings"]])
    return wrong


def wrong_timeouts(flows: list[Json], truth: Json) -> Json:
    """Where the bounds of a TCP_USER_TIMEOUT that ended a run do not hold it, by dotted path."""
    wrong = {}
    for i, (flow, true) in enumerate(zip(flows, truth["connections"], strict=True)):
        for entry in flow["keepalive"]:
            real = (true["settings"][entry["sender"]] or {}).get("user_timeout_s")
            limits = entry["user_timeout_s"]
            if (
                limits
                and real
                and true["ending"]["why"] == "user_timeout"
                and not limits["low"] < real <= limits["high"]
            ):
                wrong[f"connections.{i}.settings.{entry['sender']}.user_timeout_s"] = (limits, [real])
    return wrong


def wrong_beats(flows: list[Json], truth: Json) -> Json:
    """Where the heartbeats of an application are not found, or found otherwise, by dotted path."""
    wrong = {}
    for i, (flow, true) in enumerate(zip(flows, truth["connections"], strict=True)):
        if len(flow["heartbeats"]) > len(true.get("heartbeats", flow["heartbeats"])):
            wrong[f"connections.{i}.heartbeats"] = (flow["heartbeats"], true["heartbeats"])
        for real in true.get("heartbeats", []):
            found = [
                beats
                for beats in flow["heartbeats"]
                if beats["sender"] == real["sender"]
                and abs(float(beats["period_s"]) - real["period_s"]) <= real["jitter"] * real["period_s"]
            ]
            named = real.get("protocol", "periodic")
            unlike = len(found) != 1 or found[0].get("protocol", named) != named
            # Where but a rhythm tells, the first may pass for a request.
            unlike = unlike or not 0 <= real["sent"] - found[0]["sent"] <= (named == "periodic")
            answered = real.get("answered")
            if unlike or (answered is not None and not 0 <= answered - found[0]["answered"] <= (named == "periodic")):
                wrong[f"connections.{i}.heartbeats"] = (flow["heartbeats"], [real])
    return wrong


def wrong_packets(flows: list[Json], truth: Json) -> Json:
    """Where a packet that was recorded at two places is not counted once, by dotted path."""
    return {
        f"connections.{i}.packets": (flow["packets"], [true["packets"]])
        for i, (flow, true) in enumerate(zip(flows, truth["connections"], strict=True))
        if "packets" in true and flow["packets"] != true["packets"]
    }


def wrong_pools(hosts: list[Json], truth: Json) -> Json:
    """Where what connections show together is not the setting of each, by the pool's place and dotted path."""
    wrong = {}
    for place, host in enumerate(hosts):
        for stream in host["streams"]:
            path = f"connections.{stream}.settings.{host['sender']}"
            for name in SETTINGS:
                shown = (truth["connections"][stream]["settings"][host["sender"]] or {}).get(name)
                real = truth["shown_instead"].get(f"{path}.{name}", shown)
                if host[name] is not None and not (
                    (host[name]["low"] or 0) <= real <= (host[name]["high"] or float("inf"))
                    and host[name]["value"] in (None, real)
                ):
                    wrong[f"hosts.{place}: {path}.{name}"] = (host[name], [real])
    return wrong


def is_fair(estimate: Json | None, real: int | None, path: str, truth: Json) -> bool:
    """Whether an estimate is the setting, or leaves open what the recording does not show; bounds hold it anyway."""
    hidden = is_hidden(path, truth["not_shown"])
    if estimate is None or real is None:
        return estimate is None and (real is None or hidden)
    shown = truth["shown_instead"].get(path, real)
    holds = (estimate["low"] or 0) <= shown <= (estimate["high"] or float("inf"))
    return holds and (estimate["value"] == shown or (estimate["value"] is None and hidden))
