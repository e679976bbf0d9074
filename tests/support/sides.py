"""One end of a built conversation, and what a capture of the conversation must show."""

from __future__ import annotations

from dataclasses import dataclass, field

from wirebytes import Host, Segment

CLIENT, SERVER = "client", "server"
START_S = 1_700_000_000
# RFC 9293 3.6: where a FIN sent, the acknowledgement of it, and (once acknowledged) a FIN received lead.
FIN_SENT = {"ESTABLISHED": "FIN-WAIT-1", "CLOSE-WAIT": "LAST-ACK", "SYN-RECEIVED": "FIN-WAIT-1"}
OWN_FIN_ACKED = {"FIN-WAIT-1": "FIN-WAIT-2", "CLOSING": "TIME-WAIT", "LAST-ACK": "CLOSED"}
PEER_FIN_ACKED = {"ESTABLISHED": "CLOSE-WAIT", "FIN-WAIT-1": "CLOSING", "FIN-WAIT-2": "TIME-WAIT"}


@dataclass
class Side:
    """One end, with the variables that RFC 9293 3.3.1 names."""

    name: str
    host: Host
    iss: int
    nxt: int
    rcv_nxt: int = 0
    una: int = 0
    window: int = 502
    ip_id: int = 100
    ts_recent: int = 0
    state: str = "UNKNOWN"
    fin_end: int | None = None
    fin_acked: bool = False
    in_vain: int = 0  # probes and retransmissions that nothing in the capture has answered
    last: Segment | None = None


@dataclass
class BuiltProbe:
    """A probe that was built in, and what was built in as its answer: `ack`, `data`, `rst` or None."""

    segment: Segment
    sender: str
    answer: Segment | None = None
    kind: str | None = None
    error: Segment | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the capture holds an answer."""
        return self.answer is not None and self.answer.captured


@dataclass
class Truth:
    """What the capture must show."""

    handshake: str = "not_captured"
    probes: list[BuiltProbe] = field(default_factory=list)
    window_probes: list[Segment] = field(default_factory=list)
    ending: tuple[str, str | None] = ("open", None)
