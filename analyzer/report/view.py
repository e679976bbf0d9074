"""What the reader of a full-screen view wants to see: an order, a filter, a place; keys change them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.model.findings import SEVERITIES
from analyzer.model.status import Outlook

FAR = 1 << 62


def _most_urgent(one: Outlook) -> tuple[int, ...]:
    """Those that will be given up first, then those that are probed first, then the longest silent."""
    soonest = (one.dead_in if one.dead_in is not None else FAR, one.probe_in if one.probe_in is not None else FAR)
    return (int(one.over), -min(one.unanswered, 1), *soonest, -one.idle)


def _worst(one: Outlook) -> tuple[int, ...]:
    return (-SEVERITIES.index(one.severity), -one.unanswered, -one.idle)


ORDERS: dict[str, Callable[[Outlook], tuple[int, ...]]] = {
    "next": _most_urgent,
    "worst": _worst,
    "idle": lambda one: (int(one.over), -one.idle),
    "newest": lambda one: (-one.stream,),
}
HELP = (
    "s        change the order: what happens next, worst verdict, longest idle, newest",
    "f or /   filter connections and events by text: an address, a port, a verdict",
    "Esc      clear the filter",
    "space p  pause and resume; packets are still read",
    "j k      scroll, as do the arrow and page keys; g and G go to the first and the last row",
    "?        close this help",
    "q        quit and print the result",
    "",
    "idle     time since the last packet",
    "probe    time until the next keepalive probe is due",
    "lost     probes in a row without a reply",
    "dead     time until the prober gives up, if no reply comes",
    "settings tcp_keepalive_time/intvl/probes, ? where unknown; no probe yet: keepalive is off, or its idle time is "
    "longer than the silence so far",
    "verdict  idle: too early to say; `keepalive explain verdicts` lists the others",
)
HELP_INDENT = 9
KEYS = "q quit  s order  f filter  space pause  ? help"


@dataclass
class View:
    """What the reader wants to see; `key` changes it."""

    order: str = "next"
    orders: Sequence[str] = tuple(ORDERS)  # between which the reader may change
    filter: str = ""
    typing: str | None = None  # a filter that is not complete yet
    paused: bool = False
    help: bool = False
    first: int = 0  # the first row shown
    rows: int = 1  # how many were shown
    ended: bool = False

    def key(self, key: str) -> None:
        """A key was pressed: its character, or `up`, `down`, `page-up`, `page-down`, `escape`, `enter`, `erase`."""
        if self.typing is not None:
            self._type(key, self.typing)
            return
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -self.rows, "page-down": self.rows}
        helped, self.help = self.help, False
        if helped:
            pass
        elif key in moves:
            self.first = max(self.first + moves[key], 0)
        elif key in ("g", "G"):
            self.first = 0 if key == "g" else FAR
        elif key == "s":
            self.order = self.orders[(self.orders.index(self.order) + 1) % len(self.orders)]
        elif key in (" ", "p"):
            self.paused = not self.paused
        self.typing = self.filter if key in ("f", "/") else None
        self.filter = "" if key == "escape" else self.filter
        self.help = key in ("?", "h") and not helped
        self.ended |= key == "q"

    def _type(self, key: str, text: str) -> None:
        if key in ("enter", "escape"):
            self.filter, self.typing, self.first = text if key == "enter" else self.filter, None, 0
        elif key == "erase":
            self.typing = text[:-1]
        elif len(key) == 1 and key.isprintable():
            self.typing = text + key

    def fits(self, text: str) -> bool:
        """Whether the filter lets that through."""
        return (self.filter if self.typing is None else self.typing).lower() in text.lower()

    def window(self, rows: int, room: int) -> slice:
        """Which of so many rows are shown where there is room for some."""
        self.rows = max(room, 1)
        self.first = max(min(self.first, rows - self.rows), 0)
        return slice(self.first, self.first + self.rows)

    def chosen(self, all_of_them: Sequence[Outlook]) -> list[Outlook]:
        """Those to be shown, in order."""
        found = [one for one in all_of_them if self.fits(f"#{one.stream} {one.client} {one.server} {one.verdict}")]
        return sorted(found, key=ORDERS[self.order])
