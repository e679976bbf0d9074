"""Client and server of connections that began before the capture: by their ports, and by ports that several share."""

from __future__ import annotations

from collections.abc import Iterable

import naive
import numpy as np
import pytest
from conversation import CLIENT, SERVER, Conversation
from hypothesis import given
from hypothesis import strategies as st
from kernel_view import decoded_packets, run_kernels
from observe import analyzed, flows, keepalive, only_flow
from wirebytes import Segment, pcap_bytes

from analyzer.kernels import plain
from analyzer.kernels.track.flows import serves
from analyzer.model.columns import Tracks
from analyzer.model.flows import Flow
from analyzer.tables import fields as layout
from analyzer.tables.arrays import Column
from analyzer.track import Tracker
from analyzer.track.renumber import probing_streams
from analyzer.track.roles import settle_roles


def talking(client: int, server: int, *, first: str = SERVER, **how: bool | float) -> Conversation:
    """The middle of a connection between these ports; `first` is who is seen first."""
    talk = Conversation(ports=(client, server), **how)  # type: ignore[arg-type]
    talk.data(first, 40).idle(2).data(CLIENT, 20).data(SERVER, 60).idle(20).probe(CLIENT)
    return talk


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("first", [CLIENT, SERVER])
@pytest.mark.parametrize(
    ("client", "server"),
    [
        (1093, 44_818),  # EtherNet/IP, Windows XP
        (3210, 20_000),  # DNP3
        (4999, 4840),
        (812, 2049),  # NFS, a port of bindresvport
        (1500, 9300),
        (49_800, 3389),
        (61_000, 47_000),
        (50_500, 40_000),
        (1025, 12_345),
        (40_000, 1024),
        (2000, 44),
    ],
)
def test_ports_tell_the_server(client: int, server: int, first: str, v6: bool) -> None:
    flow = only_flow(talking(client, server, first=first, v6=v6))
    assert (flow.client.port, flow.server.port, flow.roles) == (client, server, "guess")
    [entry] = flow.keepalive
    assert (entry.sender, entry.probes) == ("client", 1)


@given(port=st.integers(0, 65_535), other=st.integers(0, 65_535))
def test_the_naive_twin_orders_ports_alike(port: int, other: int) -> None:
    mine, theirs = (serves(port), -port), (serves(other), -other)
    assert (mine > theirs) == (naive.as_service(port) > naive.as_service(other))


def test_a_handshake_tells_more_than_ports() -> None:
    flow = only_flow(Conversation(ports=(502, 50_123)).handshake().data(CLIENT, 10))
    assert (flow.client.port, flow.roles) == (502, "handshake")
    flow = only_flow(Conversation(ports=(502, 50_123)).syn(captured=False).syn_ack().idle(1).data(CLIENT, 10))
    assert (flow.client.port, flow.roles) == (502, "guess")


def shared(*talks: Conversation) -> list[tuple[int, int]]:
    return [(flow.client.port, flow.server.port) for flow in flows(*talks)]


def test_a_port_that_several_connections_share_is_the_servers() -> None:
    talks = [talking(port, 55_555) for port in (40_001, 40_002, 41_003)]
    assert shared(*talks) == [(40_001, 55_555), (40_002, 55_555), (41_003, 55_555)]
    assert shared(talks[0]) == [(55_555, 40_001)]  # one alone: the port that is likelier a client's


def test_a_connection_that_began_in_the_capture_tells_of_those_before() -> None:
    later = Conversation(ports=(40_009, 55_555), start=5).handshake().data(CLIENT, 20)
    assert shared(talking(40_001, 55_555), later) == [(40_001, 55_555), (40_009, 55_555)]


def test_one_port_of_a_client_may_meet_several_services() -> None:
    assert shared(talking(45_000, 443), talking(45_000, 80), talking(45_000, 8080)) == [
        *((45_000, 443), (45_000, 80), (45_000, 8080)),
    ]


def test_the_same_four_numbers_again_are_no_other_connection() -> None:
    assert shared(talking(40_001, 55_555), talking(40_001, 55_555, start=60)) == [(55_555, 40_001)]


def exchanged(flow: Flow) -> list[object]:
    """What a flow says, by port."""
    sides = sorted([flow.client.port, flow.server.port])
    order = sides.index(flow.client.port)
    pairs = [flow.packets, flow.bytes, flow.state, flow.zero_window_probes]
    ender = None if flow.ending.by is None else (flow.client, flow.server)[flow.ending.by == "server"].port
    probed = {
        (flow.client, flow.server)[entry.sender == "server"].port: (entry.probes, entry.answered, entry.reset)
        for entry in flow.keepalive
    }
    beats = {(flow.client, flow.server)[one.sender == "server"].port: one[2:5] for one in flow.heartbeats}
    return [*(pair[:: -1 if order else 1] for pair in pairs), flow.ending[0], ender, flow.ending[2:4], probed, beats]


def lives() -> Iterable[Conversation]:
    """Connections of which every table holds something."""
    for port, end in ((40_001, "fin"), (40_002, "rst"), (40_003, "answer"), (40_004, "beats")):
        talk = talking(port, 55_555)
        talk.data(SERVER, 30).window_update(CLIENT, 0).persist(SERVER, 2).window_update(CLIENT, 500).idle(9)
        if end == "fin":
            talk.fin(SERVER).idle(1).fin(CLIENT)
        elif end == "rst":
            talk.probes(CLIENT, 3, every=4, answered=False).rst(CLIENT)
        elif end == "answer":
            talk.probe(CLIENT, "rst")
        else:
            for _ in range(6):
                talk.idle(10).data(SERVER, 30, acked=False).data(CLIENT, 30)
        yield talk


def test_all_that_is_known_of_a_side_goes_with_it() -> None:
    alone = [exchanged(only_flow(talk)) for talk in lives()]
    together = flows(*lives())
    assert [flow.client.port for flow in together] == [40_001, 40_002, 40_003, 40_004]
    assert [exchanged(flow) for flow in together] == alone
    assert [one.sender for one in together[3].heartbeats] == ["server"]
    assert all(keepalive(flow, "client") for flow in together)


def test_what_is_settled_stays() -> None:
    segments: list[Segment] = [segment for talk in lives() for segment in talk.segments]
    tracks = run_kernels(pcap_bytes(segments, nanoseconds=True), [plain()], [50])
    copy = Tracks(*(table.copy() for table in tracks))
    for mine, theirs in zip(settle_roles(tracks), copy, strict=True):
        assert np.array_equal(mine, theirs)


def unseeded(table: Column) -> Column:
    """The table without what differs per run."""
    return np.delete(table, layout.HASH, 1) if table.shape[1] == layout.FLOW_SIZE else table


def test_connections_that_have_left_memory_are_settled_too() -> None:
    segments: list[Segment] = [segment for talk in lives() for segment in talk.segments]
    capture = pcap_bytes(segments, nanoseconds=True)
    whole = run_kernels(capture, [plain()], [10**6])
    tracker = Tracker(plain())
    for packets in decoded_packets(capture, plain(), [10**6]):
        tracker.feed(packets)
    leaving = np.array([True, False, True, False])
    tracker.release(leaving, leaving[probing_streams(tracker.living())])
    for stored, table in zip(tracker.finish(), whole, strict=True):
        assert np.array_equal(unseeded(stored), unseeded(table))
    tracker.close()


def test_verdicts_do_not_depend_on_who_is_called_client() -> None:
    together = analyzed(*lives())
    alone = [analyzed(talk) for talk in lives()]
    assert [flow.verdict for flow in together.flows] == [next(iter(one.flows)).verdict for one in alone]
