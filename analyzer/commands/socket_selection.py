"""Which sockets are shown: by state, address, port, process."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from analyzer.commands.declared import group, option
from analyzer.commands.endpoints import NOT, host_option, parse_network, parse_ports, port_option
from analyzer.errors import UsageError
from analyzer.model.sockets import LIFELESS
from analyzer.report.socket_orders import ORDERS
from analyzer.tcp import State

if TYPE_CHECKING:
    from analyzer.model.sockets import Socket

SECTION = "Select sockets"
ALL, CONNECTED, LISTENING = "all", "connected", "listening"
# What ss and netstat call some states.
ALSO = {"ESTAB": State.ESTABLISHED, "SYN-RECV": State.SYN_RECEIVED, "LISTENING": State.LISTEN, "CLOSE": State.CLOSED}


@group(
    option(
        "--state",
        "states",
        multiple=True,
        metavar="WORD",
        section=SECTION,
        help="Only sockets in this state (established, close-wait), or all, listening; otherwise those with a peer",
    ),
    host_option("sockets", SECTION),
    port_option("sockets", SECTION),
    option(
        "--process",
        "processes",
        multiple=True,
        metavar="NAME",
        section=SECTION,
        help="Only sockets of processes with this name or number",
    ),
    option(
        "--suspects", "only_suspects", is_flag=True, section=SECTION, help="Only those that leak or wait for nothing"
    ),
    option("--sort", type=click.Choice(ORDERS), help="Sort by this; otherwise those that leak or wait come first"),
)
@dataclass(frozen=True)
class SocketSelection:
    """What was asked for. Raises UsageError for what cannot be read."""

    states: Sequence[str] = ()
    hosts: Sequence[str] = ()
    ports: Sequence[str] = ()
    processes: Sequence[str] = ()
    only_suspects: bool = False
    sort: str | None = None

    def __post_init__(self) -> None:
        for word in self.states:
            _states(word)
        for host in self.hosts:
            parse_network(host.removeprefix(NOT))
        for port in self.ports:
            parse_ports(port.removeprefix(NOT))

    @property
    def asked(self) -> bool:
        """Whether anything but all was asked for."""
        return bool(self.states or self.hosts or self.ports or self.processes)

    @property
    def words(self) -> str:
        """What was asked for, as it was written."""
        named = (("state", self.states), ("host", self.hosts), ("port", self.ports), ("process", self.processes))
        words = [f"{name} {', '.join(texts)}" for name, texts in named if texts]
        return "  ".join([*words, *(["suspects"] if self.only_suspects else [])])

    def of(self, sockets: Iterable[Socket]) -> list[Socket]:
        """Those of these that were asked for, sorted where that was asked for."""
        states = set().union(*(_states(word) for word in self.states)) if self.states else _states(CONNECTED)
        chosen = [one for one in sockets if one.state in states]
        for texts, at in ((self.hosts, _at_host), (self.ports, _at_port)):
            chosen = list(filter(_test(texts, at), chosen)) if texts else chosen
        chosen = list(filter(self._of_process, chosen)) if self.processes else chosen
        sort = self.sort
        return chosen if sort is None else sorted(chosen, key=ORDERS[sort])

    def _of_process(self, one: Socket) -> bool:
        held = (owner.process for owner in one.owners)
        return any(name in self.processes for process in held for name in (process.command, str(process.pid)))


def _states(word: str) -> set[State]:
    """The states that a word means."""
    name = word.upper().replace("_", "-")
    if name in ALSO:
        return {ALSO[name]}
    if word.lower() == ALL:
        return set(State)
    if word.lower() == CONNECTED:
        return set(State) - LIFELESS  # as ss(8) without -a
    found = {state for state in State if state.label.replace("-", "") == name.replace("-", "")}
    if not found:
        known = ", ".join(state.label.lower() for state in State if state is not State.UNKNOWN)
        raise UsageError(f"--state {word}: no such state; there are {known}, and {ALL}, {CONNECTED}, {LISTENING}")
    return found


def _test(texts: Sequence[str], at: Callable[[str], Callable[[Socket], bool]]) -> Callable[[Socket], bool]:
    """Whether a socket has one of those that are wanted, and none of those that are excluded."""
    wanted = [at(text) for text in texts if not text.startswith(NOT)]
    excluded = [at(text.removeprefix(NOT)) for text in texts if text.startswith(NOT)]
    return lambda one: (not wanted or any(fits(one) for fits in wanted)) and not any(fits(one) for fits in excluded)


def _at_host(text: str) -> Callable[[Socket], bool]:
    network = parse_network(text)
    return lambda one: any(ipaddress.ip_address(end.address) in network for end in (one.local, one.peer))


def _at_port(text: str) -> Callable[[Socket], bool]:
    low, high = parse_ports(text)
    return lambda one: any(low <= end.port <= high for end in (one.local, one.peer))
