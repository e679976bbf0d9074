"""Failures of other recordings, played again with settings that `keepalive advise` was asked about."""

import time
from collections.abc import Callable

from endpoints import Keepalive, Talk
from stage import Capture, Scenario, Stage

LOOK_AT = "The time from the last packet of the silent end to RST,ACK."
UNHEARD = ["connections.0.state.server"]
FORGETS_AFTER_S = 5
POLL_S = 0.005
LONGEST_S = 30.0


def given_up(
    *,
    client: Keepalive | None = None,
    server: Keepalive | None = None,
    family: int = 4,
    by: str = "client",
    wait: float,
) -> Callable[[Stage], None]:
    """One host is out of reach from the first second on, and the other gives up."""

    def play(stage: Stage) -> None:
        talk = stage.connect(client=client, server=server, family=family)
        talk.exchange(160, 480)
        stage.until(1)
        stage.router.silence("client" if by == "server" else "server")
        stage.until(1 + wait)
        talk.server.gave_up_too = client is not None and server is not None
        limit = talk.end(by).keepalive
        why = "keepalive_exhausted" if limit is None or limit.user_timeout_s is None else "user_timeout"
        talk.outcome("dead_peer", "rst", by, why)

    play.__module__ = __name__
    return play


def behind_a_firewall(stage: Stage) -> None:
    """Probes are sooner than before, and too late all the same."""
    stage.router.forget_after(FORGETS_AFTER_S, "drop")
    talk = stage.connect(client=Keepalive(time=6, intvl=2, probes=2))
    talk.exchange(210, 530)
    stage.until(11.8)
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def behind_a_nat(stage: Stage) -> None:
    """Probes come sooner than the NAT forgets, and the connection lives."""
    stage.translate(FORGETS_AFTER_S)
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=3))
    talk.exchange(140, 310)
    stage.until(13.5)
    talk.outcome("healthy", "open")


def data_on_its_way(stage: Stage) -> None:
    """No probe, and no RST: only the program learns that TCP_USER_TIMEOUT is over."""
    talk = stage.connect(client=Keepalive(time=3, intvl=2, probes=4, user_timeout_s=5))
    talk.exchange(500, 500)
    heard = time.time()
    stage.until(1)
    stage.router.silence("server")
    talk.client.send(700)
    stage.note(f"The client's kernel gave up {until_error(talk) - heard:.2f} s after the server's last packet.")
    stage.until(16)
    stage.chatter()
    talk.outcome("retransmission_timeout", "timeout", "client")


def until_error(talk: Talk) -> float:
    """When the client's kernel tells its program that it has given up."""
    deadline = time.time() + LONGEST_S
    while not talk.client.error and time.time() < deadline:
        time.sleep(POLL_S)
        talk.client.note_error()
    return time.time()


SCENARIOS = [
    Scenario(
        name="advised-dead-peer",
        title="The dead peer of dead-peer, with 2/1/3.",
        look_at=LOOK_AT,
        play=given_up(client=Keepalive(time=2, intvl=1, probes=3), wait=6.2),
        not_shown=UNHEARD,
    ),
    Scenario(
        name="advised-dead-client",
        title="The vanished client of dead-client, with 1/1/5 at the server.",
        look_at=LOOK_AT,
        play=given_up(server=Keepalive(time=1, intvl=1, probes=5), by="server", wait=7.2),
        capture=Capture(vantage="server"),
        not_shown=["connections.0.state.client"],
    ),
    Scenario(
        name="advised-more-probes",
        title="The dead peer of dead-peer-count-1, with four probes instead of one, 3/2/4.",
        look_at=LOOK_AT,
        play=given_up(client=Keepalive(time=3, intvl=2, probes=4), wait=12.2),
        not_shown=UNHEARD,
    ),
    Scenario(
        name="advised-ipv6",
        title="The dead peer of dead-peer-ipv6, with 4/3/2.",
        look_at=LOOK_AT,
        play=given_up(client=Keepalive(time=4, intvl=3, probes=2), family=6, wait=11.2),
        not_shown=UNHEARD,
    ),
    Scenario(
        name="advised-both-ends",
        title="The cut path of both-give-up, with 2/1/4 at the client and 4/2/3 at the server.",
        look_at=LOOK_AT,
        play=given_up(
            client=Keepalive(time=2, intvl=1, probes=4), server=Keepalive(time=4, intvl=2, probes=3), wait=11.5
        ),
        not_shown=UNHEARD,
    ),
    Scenario(
        name="advised-user-timeout",
        title="The dead peer of user-timeout, with 3/2/9 and TCP_USER_TIMEOUT 6 s.",
        look_at=LOOK_AT,
        play=given_up(client=Keepalive(time=3, intvl=2, probes=9, user_timeout_s=6), wait=8.2),
        not_shown=[*UNHEARD, "connections.0.settings.client.user_timeout_s"],
        shown_instead={
            "connections.0.ending.why": "keepalive_exhausted",
            "connections.0.settings.client.tcp_keepalive_probes": 2,
        },
    ),
    Scenario(
        name="advised-user-timeout-below-idle",
        title="The dead peer of user-timeout-below-idle, with 2/1/9 and TCP_USER_TIMEOUT 1.5 s.",
        look_at=LOOK_AT,
        play=given_up(client=Keepalive(time=2, intvl=1, probes=9, user_timeout_s=1.5), wait=4.2),
        findings=["user-timeout-overrides-count"],
        not_shown=[*UNHEARD, "connections.0.settings.client.user_timeout_s"],
        shown_instead={
            "connections.0.ending.why": "keepalive_exhausted",
            "connections.0.settings.client.tcp_keepalive_probes": 1,
        },
    ),
    Scenario(
        name="advised-firewall",
        title="The firewall of firewall-forgets, with 6/2/2: still too slow for it, and sooner noticed.",
        look_at=LOOK_AT,
        play=behind_a_firewall,
        not_shown=UNHEARD,
    ),
    Scenario(
        name="advised-nat",
        title="The NAT of nat-forgets, with 3/2/3: probes come in time.",
        look_at="A probe every 3 s, and each is answered; the NAT would have forgotten after 5 s.",
        play=behind_a_nat,
    ),
    Scenario(
        name="advised-data",
        title="The data of half-open-data, with 3/2/4 and TCP_USER_TIMEOUT 5 s.",
        look_at="Retransmissions end 5 s after the first of them, without an RST; no keepalive probe is sent.",
        play=data_on_its_way,
        expected_probes={"client": 0},
        not_shown=["connections.0.state.client", "connections.0.state.server"],
    ),
]
