"""What a scenario dictates of its truth: the names, and what is to be found where connections fared as they did."""

from collections.abc import Iterator, Sequence
from typing import Any

from stage import Scenario

ROLES = ("client", "server")
Connections = Sequence[dict[str, Any]]
# How a truth file is ordered; what is not named in `dictates` was recorded.
ORDER = (
    *("scenario", "capture", "vantage", "kernel", "hz", "connections"),
    *("findings", "not_shown", "shown_instead", "chance", "sources"),
)
# The finding that each verdict calls for.
FINDINGS = {
    "dead_peer": "dead-peer",
    "lost_state": "lost-state",
    "middlebox_reset": "middlebox-reset",
    "middlebox_drop": "one-way-loss",
    "retransmission_timeout": "retransmission-timeout",
    "close_wait_leak": "close-wait-leak",
    "zero_window_stall": "zero-window-stall",
    "app_hung": "app-hung",
    "unprotected": "unprotected-idle",
    "aborted": "endpoint-reset",
    "refused": "connection-refused",
    "no_answer": "connection-unanswered",
}
# What another finding about the same connections explains, and has as a note.
EXPLAINED = {
    "keepalive-exhausted-but-alive": {"dead-peer"},
    "middlebox-idle-timeout": {
        *("middlebox-reset", "keepalive-slower-than-middlebox", "dead-peer", "one-way-loss", "retransmission-timeout"),
    },
    "proxy-idle-close": {"endpoint-reset"},
    "heartbeat-missed": {"close-wait-leak"},
    "one-way-loss": {"dead-peer", "keepalive-exhausted-but-alive"},
}


def dictates(scenario: Scenario, connections: Connections) -> dict[str, Any]:
    """The parts of the truth file that follow from the scenario, given what its connections were recorded to be."""
    calls_for = {FINDINGS[one["verdict"]] for one in connections if one["verdict"] in FINDINGS}
    return {
        "scenario": scenario.name,
        "capture": scenario.capture.published_name,
        "vantage": scenario.capture.vantage,
        "findings": _standing({*scenario.findings, *calls_for}, scenario.standing),
        "not_shown": sorted({*scenario.not_shown, *scenario.shown_instead, *_settings_not_shown(connections)}),
        "shown_instead": dict(scenario.shown_instead),
        "chance": list(scenario.chance),
    }


def renewed(truth: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """A truth with what its scenario dictates now, in place of what it dictated before."""
    whole = truth | dictates(scenario, truth["connections"])
    return {name: whole[name] for name in ORDER}


def _standing(findings: set[str], standing: Sequence[str]) -> list[str]:
    """Those that nothing else explains, and those that stand for other connections."""
    return sorted(findings.difference(*(EXPLAINED.get(one, set()) for one in findings)) | set(standing))


def _settings_not_shown(connections: Connections) -> Iterator[str]:
    """The settings that no reader of this recording could tell from it."""
    for number, one in enumerate(connections):
        ending = (one["ending"]["by"], one["ending"]["why"])
        for role in ROLES:
            path, settings = f"connections.{number}.settings.{role}", one["settings"][role]
            if settings is None:
                continue
            if not one["probes"][role]:
                yield path
                continue
            # Answered rounds show max(time, intvl); only what follows an unanswered probe shows intvl alone.
            if not one["answers"][role]["unanswered"]:
                yield f"{path}.tcp_keepalive_intvl"
            if ending != (role, "keepalive_exhausted"):
                yield f"{path}.tcp_keepalive_probes"
            if settings["user_timeout_s"] is not None and ending != (role, "user_timeout"):
                yield f"{path}.user_timeout_s"
