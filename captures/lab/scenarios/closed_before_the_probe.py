"""One end closed, the other never does, and probes what has waited long enough: RSTs that no application sent."""

import socket
from functools import partial

from bare import without_timestamps
from endpoints import Keepalive, Talk
from stage import Scenario, Stage

# A kernel's own RST has the host's hop limit, an established connection that of its socket.
ONE_LESS = 63
FIN_WAIT_2_S = 3
OTHER_HOPS, OTHER_HOPS_IPV6, LOST = 7100, 7106, 7200


def one_hop_less(family: int, sock: socket.socket, peer: tuple[str, int]) -> None:
    """Let the segments of a server's socket, and of those that it accepts, seem to come from one hop further."""
    if peer[1] not in (OTHER_HOPS, OTHER_HOPS_IPV6, LOST):
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ONE_LESS)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ONE_LESS)


def play(stage: Stage) -> None:
    """Five closes that are not returned; a reset by the application, and a server without memory."""
    for host in (stage.client, stage.server):
        host.sysctl(ipv4__tcp_fin_timeout=FIN_WAIT_2_S)
    stage.note(f"net.ipv4.tcp_fin_timeout was {FIN_WAIT_2_S} s at both hosts.")
    plain = stage.connect(client=Keepalive(time=6, intvl=2, probes=3))
    six = stage.connect(client=Keepalive(time=3, intvl=2, probes=3), family=6)
    with without_timestamps(stage):
        by_client = stage.connect(server=Keepalive(time=7, intvl=2, probes=3))
        other_hops = stage.connect(
            client=Keepalive(time=5, intvl=2, probes=3), server_port=OTHER_HOPS, prepare=partial(one_hop_less, 4)
        )
    other_hops_six = stage.connect(
        client=Keepalive(time=8, intvl=3, probes=2),
        server_port=OTHER_HOPS_IPV6,
        family=6,
        prepare=partial(one_hop_less, 6),
    )
    aborted = stage.connect(client=Keepalive(time=30, intvl=2, probes=3), family=6)
    lost = stage.connect(
        client=Keepalive(time=9, intvl=2, probes=3), server_port=LOST, prepare=partial(one_hop_less, 4)
    )
    waiting = stage.connect(client=Keepalive(time=4, intvl=2, probes=3))
    closing = [(plain, "server"), (six, "server"), (by_client, "client"), (other_hops, "server")]
    closing.append((other_hops_six, "server"))
    for number, talk in enumerate(stage.talks):
        talk.exchange(90 + 13 * number, 40 + 60 * number)
    stage.until(1)
    for talk, by in closing:
        close(talk, by)
    aborted.server.shut()
    waiting.server.shut()
    stage.until(5)
    aborted.server.abort()
    lost.server.forget()
    stage.until(13.4)
    for talk, by in closing:
        talk.outcome("close_wait_leak", "rst", by, "reply_to_probe")
    aborted.outcome("aborted", "rst", "server", "abort")
    lost.outcome("lost_state", "rst", "server", "reply_to_probe")
    waiting.outcome("close_wait_leak", "half_closed", "server")


def close(talk: Talk, by: str) -> None:
    """One end closes and is done; its kernel waits in FIN-WAIT-2, for a while."""
    talk.end(by).close()


SCENARIO = Scenario(
    name="closed-before-the-probe",
    title="Five connections are closed by one end alone, whose kernel has forgotten them by the time that it is asked.",
    look_at=(
        "RSTs in answer to probes, where FIN-WAIT-2 was over: no application reset anything, and no device; two have "
        "another hop limit than the other packets of their sender, by one. Near misses: an application that closed its "
        "half and then reset, a server that lost its state, and an end that still waits in FIN-WAIT-2."
    ),
    play=play,
)
