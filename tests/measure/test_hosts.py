"""Settings pooled by host: connections that agree, those that do not, and what fits several."""

from __future__ import annotations

from conversation import CLIENT, SERVER, Conversation
from observe import analyzed

from analyzer.model.flows import Estimate, HostSettings


def talk(port: int, idle: float, *, every: float | None = None, count: int = 2) -> Conversation:
    """A connection whose client probes after so long: answered, or with an interval, in vain."""
    talk = Conversation(ports=(port, 5432)).handshake().data(CLIENT, 100).data(SERVER, 300)
    talk.idle(0.1)
    talk.acknowledge(CLIENT)
    talk.idle(idle)
    if every is None:
        return talk.probes(CLIENT, count, every=idle)
    return talk.probes(CLIENT, count, every=every, answered=False)


def value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def settings(host: HostSettings) -> tuple[float | None, float | None, int]:
    return value(host.tcp_keepalive_time), value(host.tcp_keepalive_intvl), len(host.streams)


def test_connections_of_one_program_are_pooled() -> None:
    [host] = analyzed(talk(40_000, 15.104), talk(40_001, 15.104, every=5.05, count=3)).hosts()
    assert settings(host) == (15, 5, 2)
    assert (host.address, host.sender, host.port) == ("192.0.2.10", CLIENT, 5432)


def test_connections_that_contradict_each_other_stand_apart() -> None:
    hosts = analyzed(talk(40_000, 15.104), talk(40_001, 15.104), talk(40_002, 30.208)).hosts()
    assert sorted(settings(host) for host in hosts) == [(15, None, 2), (30, None, 1)]


def test_two_values_are_two_settings_though_their_bounds_touch() -> None:
    """17 s seen after 17.03 s may be 15 s on a slow clock, but 15 s was seen as such."""
    hosts = analyzed(talk(40_000, 15.013, every=2.016, count=3), talk(40_001, 17.029, every=2.016, count=3)).hosts()
    assert sorted(settings(host) for host in hosts) == [(15, 2, 1), (17, 2, 1)]


def test_what_fits_both_kinds_is_told_of_neither() -> None:
    """A connection that begins in a gap says no more than that its idle time is at least so long."""
    one = talk(40_002, 9, count=0).idle(1).fin(CLIENT)
    hosts = analyzed(talk(40_000, 15.104), talk(40_001, 30.208), one).hosts()
    assert sorted(settings(host) for host in hosts) == [(15, None, 1), (30, None, 1)]


def test_one_connection_speaks_for_itself() -> None:
    assert analyzed(talk(40_000, 15.104)).hosts() == []
    assert analyzed(Conversation().handshake()).hosts() == []
