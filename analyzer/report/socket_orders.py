"""What sockets may be sorted by."""

from __future__ import annotations

from collections.abc import Callable

from analyzer.model.sockets import Socket

Order = Callable[[Socket], tuple[float, str]]
LAST = float("inf")


def _largest(value: Callable[[Socket], float | None]) -> Order:
    """From the largest number on; what is not known comes last."""

    def order(one: Socket) -> tuple[float, str]:
        number = value(one)
        return LAST if number is None else -number, str(one.local)

    return order


def _next_timer(one: Socket) -> tuple[float, str]:
    return LAST if one.timer_left is None else one.timer_left, str(one.local)


ORDERS: dict[str, Order] = {
    "idle": _largest(lambda one: one.idle),
    "timer": _next_timer,
    "unanswered": _largest(lambda one: one.unanswered),
    "unsent": _largest(lambda one: one.send_queue),
    "unread": _largest(lambda one: one.recv_queue),
    "local": lambda one: (0.0, str(one.local)),
    "peer": lambda one: (0.0, str(one.peer)),
    "process": lambda one: (0.0, one.owners[0].process.command if one.owners else "\uffff"),
    "state": lambda one: (0.0, one.state.label),
}
