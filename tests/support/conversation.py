"""A TCP conversation as a timeline: what both ends do, what is lost, and what a capture of it must show.

Nothing here looks at packets to find out what happened: each step writes down what it builds.
"""

from __future__ import annotations

from typing import Any, Self

from dialogue import Dialogue
from sides import CLIENT, FIN_SENT, SERVER, BuiltProbe
from wirebytes import WRAP, Segment

from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Owner, Process, Sighting, Socket, Timer
from analyzer.tcp import State

__all__ = ["CLIENT", "SERVER", "BuiltProbe", "Conversation"]

FIRST_RTO_NS = 200_000_000


class Conversation(Dialogue):
    """Data, silence, probes and endings; every step returns the conversation."""

    # -- data

    def data(
        self,
        sender: str,
        length: int = 100,
        *,
        acked: bool = True,
        arrives: bool = True,
        captured: bool | None = None,
        ack_captured: bool | None = None,
        copies: int = 1,
        window: int | None = None,
    ) -> Self:
        """New data in segments of at most one MSS, and the acknowledgement of all; `window` is what that offers."""
        while length > 0:
            part = min(length, self.mss)
            length -= part
            payload = (sender[:1] * part).encode()
            self.send(sender, "PA" if length == 0 else "A", payload, arrives=arrives, captured=captured, copies=copies)
        if arrives:
            self.now = self._later
            if acked:
                other = self._other(sender)
                other.window = other.window if window is None else window
                self.acknowledge(other.name, captured=ack_captured)
                self.now = self._later
        return self

    def resend(self, sender: str, *, acked: bool = True, captured: bool | None = None) -> Self:
        """The last segment once more."""
        last = self.sides[sender].last
        assert last is not None
        self.sides[sender].in_vain += 1
        self.send(sender, last.flags, last.payload, seq=last.seq, arrives=acked, captured=captured)
        if acked:
            self.now = self._later
            self.acknowledge(self._other(sender).name)
            self.now = self._later
        return self

    def retransmissions(self, sender: str, count: int) -> Self:
        """The last segment `count` times more, at doubling intervals (RFC 6298 5.5), never answered."""
        wait = FIRST_RTO_NS
        for _ in range(count):
            self.now += wait
            self.resend(sender, acked=False, captured=True)
            wait *= 2
        return self

    def window_update(self, sender: str, window: int) -> Self:
        """The window that this end offers from now on."""
        self.sides[sender].window = window
        self.acknowledge(sender)
        self.now = self._later
        return self

    # -- what a host says of its socket

    def socket(self, side: str, timer: Timer = Timer.NONE, left: float | None = None, unanswered: int = 0) -> Self:
        """The kernel of this side is asked now."""
        local, peer = (Endpoint(one.host.address, one.host.port) for one in (self.sides[side], self._other(side)))
        owners = (Owner(Process(12, "python3"), 4),)
        one = Socket(local, peer, State.ESTABLISHED, timer, left, unanswered, owners=owners)
        self.sockets.append(Sighting(one, self.now))
        return self

    # -- probes

    def ask(self, sender: str, octets: int = 0, *, copies: int = 1, octet: bytes = b"\0", **how: Any) -> BuiltProbe:
        """A probe: SND.UNA - 1, with no data or one byte (RFC 9293 3.8.4); what answers it comes later, or never."""
        side = self.sides[sender]
        segment = self.send(
            sender, "A", octet * octets, seq=side.una - 1, copies=copies, captured=True, in_window=False, **how
        )
        probe = BuiltProbe(segment, sender)
        side.in_vain += 1
        self.truth.probes.append(probe)
        return probe

    def answer(self, probe: BuiltProbe, by: str, *, copies: int = 1, captured: bool = True) -> Segment:
        """What the asked end sends back after a trip there: `ack`, `data`, `rst`; or a router's `icmp`."""
        asked = self._other(probe.sender)
        asked_at = probe.segment.time - (0 if self.at == probe.sender else self.rtt // 2)
        at = asked_at + self.rtt // 2
        if by == "icmp":
            return self._unreachable(probe, at)
        if by == "rst":
            segment = self.send(asked.name, "R", seq=probe.segment.ack, at=at, options=[], window=0, copies=copies)
            self._reset(asked.name, "rst")
        elif by == "data":
            segment = self.send(asked.name, "PA", b"!" * 20, at=at, copies=copies)
        else:
            seq = probe.segment.seq
            options = self._options(asked, "A", at)
            if probe.segment.payload:
                options = [*options, ("NOP", None), ("NOP", None), ("SAck", (seq % WRAP, (seq + 1) % WRAP))]
            segment = self.acknowledge(asked.name, at=at, copies=copies, captured=captured, options=options)
        probe.answer, probe.kind = segment, by if captured else None
        return segment

    def _unreachable(self, probe: BuiltProbe, at: int) -> Segment:
        asked = probe.segment.target
        error = Segment(at, "router", asked, probe.segment.source, "", 0, around=self.around)
        error.error_about = probe.segment
        probe.error = error
        self.segments.append(error)
        return error

    def probe(self, sender: str, answered: bool | str = True, octets: int = 0, **how: Any) -> Self:
        """One probe and its answer: True (an ACK), False, or the kind of answer."""
        asked = self.ask(sender, octets, **how)
        if answered:
            self.answer(asked, answered if isinstance(answered, str) else "ack")
        if answered == "data":
            self.now += self.rtt
            self.acknowledge(sender)
        self.now += self.rtt
        return self

    def probes(self, sender: str, count: int, *, every: float, answered: bool = True, octets: int = 0) -> Self:
        """Probes at a fixed pace, the first now and the next step one interval after the last."""
        for _ in range(count):
            due = self.now + round(every * 1e9)
            asked = self.ask(sender, octets)
            if answered:
                self.answer(asked, "ack")
            self.now = due
        return self

    def persist(
        self, sender: str, count: int, *, first: float = 0.22, ceiling: float = 120, reply_window: int | None = 0
    ) -> Self:
        """Probes of a closed window as Linux sends them: at intervals that double up to a ceiling."""
        wait, longest = round(first * 1e9), round(ceiling * 1e9)
        other = self._other(sender)
        for _ in range(count):
            self.now += wait
            probe = self.send(sender, "A", seq=self.sides[sender].una - 1, captured=True, in_window=False)
            self.truth.window_probes.append(probe)
            if reply_window is not None:
                self.acknowledge(other.name, at=self._later, window=reply_window)
            wait = min(2 * wait, longest)
        self.now += self.rtt
        return self

    # -- endings

    def fin(self, sender: str, *, acked: bool = True, arrives: bool = True, captured: bool | None = None) -> Self:
        """A FIN, and the ACK of it unless the other end's next segment brings that."""
        side, other = self.sides[sender], self._other(sender)
        first = other.fin_end is None
        segment = self.send(sender, "FA", arrives=arrives, captured=captured)
        side.fin_end = segment.seq + 1
        side.state = FIN_SENT.get(side.state, side.state)
        self.truth.ending = ("half_closed", sender) if first else ("fin", other.name)
        if arrives:
            self.now = self._later
            if acked:
                self.acknowledge(other.name)
                self.now = self._later
        return self

    def simultaneous_close(self) -> Self:
        """Both FINs cross (RFC 9293 figure 13)."""
        for side in self.sides.values():
            segment = self.send(side.name, "FA", in_window=False)
            side.fin_end = segment.seq + 1
            side.state = FIN_SENT[side.state]
        self.now = self._later
        for side in self.sides.values():
            side.rcv_nxt += 1
        for name in self.sides:
            self.acknowledge(name)
        self.now = self._later
        self.truth.ending = ("fin", CLIENT if self.at == CLIENT else SERVER)
        return self

    def rst(self, sender: str, *, bare: bool = False) -> Self:
        """A reset: with ACK as a TCP sends it of its own accord, bare as an answer to a segment it does not know."""
        side = self.sides[sender]
        if bare:
            self.send(sender, "R", options=[], window=0, in_window=False)
        else:
            self.send(sender, "RA", in_window=False)
        self._reset(sender, "rst")
        side.in_vain = 0
        self.now = self._later
        return self

    def _reset(self, sender: str, how: str) -> None:
        side, other = self.sides[sender], self._other(sender)
        # Where what the sender sent before was never answered, nothing shows that the reset arrived.
        in_doubt = side.in_vain > 0
        side.state = "CLOSED"
        if not (in_doubt and other.state == "TIME-WAIT"):
            other.state = "UNKNOWN" if in_doubt else "CLOSED"
        if self.truth.ending[0] in ("open", "half_closed"):
            self.truth.ending = (how, sender)
