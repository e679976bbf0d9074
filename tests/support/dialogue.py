"""Two ends and the wire between them: what a conversation is made of, how it opens, and what a capture of it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from sides import CLIENT, OWN_FIN_ACKED, PEER_FIN_ACKED, SERVER, START_S, BuiltProbe, Side, Truth
from wirebytes import WRAP, Encapsulation, Host, Segment, in_order, pcap_bytes

from analyzer.model.sockets import Sighting


class Dialogue:
    """Steps return the conversation, so that a test reads as a timeline; time is in seconds.

    `at` is where the capture was made; what an end sends passes there `rtt / 2` later at the other end. A lost
    segment (`arrives=False`) is captured at its sender's side only.
    """

    def __init__(
        self,
        *,
        v6: bool = False,
        timestamps: bool = True,
        rtt: float = 0.05,
        at: str = CLIENT,
        client_isn: int = 1_000_000,
        server_isn: int = 9_000_000,
        ports: tuple[int, int] = (40_000, 5432),
        start: float = 0.0,
        vlan: int | None = None,
        extension_headers: bool = False,
        mss: int = 1460,
    ) -> None:
        addresses = ("2001:db8::1", "2001:db8:1::2") if v6 else ("192.0.2.10", "198.51.100.20")
        self.around = Encapsulation(v6, vlan, extension_headers)
        self.timestamps, self.at, self.mss = timestamps, at, mss
        self.rtt = round(rtt * 1e9)
        self.now = START_S * 10**9 + round(start * 1e9)
        self.sides = {
            CLIENT: Side(CLIENT, Host(addresses[0], ports[0]), client_isn, client_isn, ip_id=100),
            SERVER: Side(SERVER, Host(addresses[1], ports[1], ttl=57), server_isn, server_isn, ip_id=30_000),
        }
        self.segments: list[Segment] = []
        self.sockets: list[Sighting] = []  # as the hosts say, if they are asked
        self.truth = Truth()

    def __repr__(self) -> str:
        lines = [f"captured at the {self.at}, round trip {self.rtt / 1e9} s:"]
        for time, segment, _ in in_order(self.segments):
            side = self.sides.get(segment.sender, self.sides[CLIENT])
            lines.append(
                f"{segment.frame:4} {time / 1e9 - START_S:10.4f} {segment.sender:6} {segment.flags:3} "
                f"seq={segment.seq - side.iss} ack={segment.ack and segment.ack - self._other(side.name).iss} "
                f"len={len(segment.payload)} win={segment.window}"
            )
        return "\n".join(lines)

    # -- the wire

    def _other(self, name: str) -> Side:
        return self.sides[SERVER if name == CLIENT else CLIENT]

    def _options(self, side: Side, flags: str, time: int) -> list[tuple[str, Any]]:
        options: list[tuple[str, Any]] = []
        if "S" in flags:
            options += [("MSS", self.mss), ("SAckOK", b"")]
        if self.timestamps:
            if "S" not in flags:
                options += [("NOP", None), ("NOP", None)]
            options += [("Timestamp", ((time // 10**6 + side.iss) % WRAP, side.ts_recent))]
        if "S" in flags:
            options += [("NOP", None), ("WScale", 7)]
        return options

    def send(
        self,
        sender: str,
        flags: str,
        payload: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        at: int | None = None,
        arrives: bool = True,
        captured: bool | None = None,
        copies: int = 1,
        options: list[tuple[str, Any]] | None = None,
        window: int | None = None,
        in_window: bool = True,
    ) -> Segment:
        """One segment, from SND.NXT unless `seq` says otherwise; acknowledges what has arrived."""
        side, peer = self.sides[sender], self._other(sender)
        sent = self.now if at is None else at
        passes = sent + (0 if self.at == sender else self.rtt // 2)
        segment = Segment(
            time=passes,
            sender=sender,
            source=side.host,
            target=peer.host,
            flags=flags,
            seq=side.nxt if seq is None else seq,
            ack=(side.rcv_nxt if ack is None else ack) if "A" in flags else 0,
            payload=payload,
            window=side.window if window is None else window,
            ip_id=side.ip_id,
            options=self._options(side, flags, sent) if options is None else options,
            around=self.around,
            captured=(arrives or self.at == sender) if captured is None else captured,
            copies=copies,
        )
        side.ip_id += 1
        length = len(payload) + ("S" in flags) + ("F" in flags)
        if segment.seq == side.nxt:
            side.nxt += length
        if length and in_window:
            side.last = segment
        if arrives and in_window:
            self._deliver(segment, length, peer, sent // 10**6 + side.iss)
        if segment.captured and "A" in flags and peer.fin_end is not None and segment.ack >= peer.fin_end:
            self._fin_acknowledged(peer, side)
        self.segments.append(segment)
        return segment

    @staticmethod
    def _deliver(segment: Segment, length: int, receiver: Side, tsval: int) -> None:
        """What an acceptable segment does to its receiver."""
        receiver.rcv_nxt = max(receiver.rcv_nxt, segment.seq + length)
        receiver.ts_recent = tsval % WRAP
        if "A" in segment.flags:
            receiver.una = max(receiver.una, segment.ack)
            receiver.in_vain = 0 if segment.captured else receiver.in_vain

    def _fin_acknowledged(self, closer: Side, side: Side) -> None:
        if not closer.fin_acked:
            closer.fin_acked = True
            closer.state = OWN_FIN_ACKED.get(closer.state, closer.state)
            side.state = PEER_FIN_ACKED.get(side.state, side.state)

    @property
    def _later(self) -> int:
        """When what is sent now reaches the other end."""
        return self.now + self.rtt // 2

    def acknowledge(self, sender: str, *, at: int | None = None, **how: Any) -> Segment:
        """A pure ACK."""
        return self.send(sender, "A", at=at, **how)

    # -- time

    def idle(self, seconds: float) -> Self:
        """Nothing happens."""
        self.now += round(seconds * 1e9)
        return self

    # -- opening

    def syn(self, sender: str = CLIENT, **how: Any) -> Self:
        """A SYN, or the same one again."""
        side = self.sides[sender]
        self.send(sender, "S", seq=side.iss, window=64240, **how)
        if side.state == "UNKNOWN":
            side.state = "SYN-SENT"
        self.truth.handshake = "no_answer"
        self.truth.ending = ("no_answer", None)
        return self

    def syn_ack(self, sender: str = SERVER, **how: Any) -> Self:
        """A SYN that answers a SYN."""
        self.now = self._later
        self.send(sender, "SA", seq=self.sides[sender].iss, window=65160, **how)
        self.sides[sender].state = "SYN-RECEIVED"
        self.truth.handshake = "partial"
        self.truth.ending = ("open", None)
        self.now = self._later
        return self

    def handshake(self, ack_captured: bool = True) -> Self:
        """SYN, SYN-ACK, ACK."""
        self.syn().syn_ack()
        self.acknowledge(CLIENT, captured=ack_captured)
        if ack_captured:
            self.established("complete")
        self.now = self._later
        return self

    def established(self, handshake: str) -> Self:
        """Both ends are, from here on."""
        self.sides[CLIENT].state = self.sides[SERVER].state = "ESTABLISHED"
        self.truth.handshake = handshake
        self.truth.ending = ("open", None)
        return self

    def simultaneous_open(self) -> Self:
        """Two SYNs cross (RFC 9293 figure 7)."""
        client, server = self.sides[CLIENT], self.sides[SERVER]
        for side in (client, server):
            self.send(side.name, "S", seq=side.iss, window=64240, in_window=False)
        client.rcv_nxt, server.rcv_nxt = server.iss + 1, client.iss + 1
        self.now = self._later
        for side in (client, server):
            self.send(side.name, "SA", seq=side.iss, window=64240)
        self.now = self._later
        return self.established("simultaneous")

    def refused(self) -> Self:
        """A SYN and the RST that it draws."""
        self.syn()
        self.now = self._later
        self.send(SERVER, "RA", seq=0, window=0, options=[])
        self.sides[CLIENT].state = self.sides[SERVER].state = "CLOSED"
        self.truth.handshake = "refused"
        self.truth.ending = ("refused", SERVER)
        self.now = self._later
        return self

    # -- what the capture holds

    def cut(self, first_frame: int) -> Self:
        """The capture starts with this frame."""
        in_order(self.segments)
        for segment in self.segments:
            segment.captured = segment.captured and segment.frame >= first_frame
        self.truth.handshake = "not_captured"
        return self

    def capture_begins(self) -> Self:
        """The capture starts here."""
        for segment in self.segments:
            segment.captured = False
        self.truth.handshake = "not_captured"
        return self

    def use_ports(self, client: int, server: int) -> Self:
        """The same conversation between other ports."""
        for name, port in ((CLIENT, client), (SERVER, server)):
            side = self.sides[name]
            for segment in self.segments:
                if segment.source is side.host:
                    segment.source = replace(side.host, port=port)
                elif segment.target is side.host:
                    segment.target = replace(side.host, port=port)
            side.host = replace(side.host, port=port)
        return self

    def pcap(self) -> bytes:
        """The capture file."""
        return pcap_bytes(self.segments)

    @property
    def states(self) -> tuple[str, str]:
        """Where client and server are, as far as the capture shows it."""
        return self._shown(CLIENT), self._shown(SERVER)

    def _shown(self, name: str) -> str:
        state = self.sides[name].state
        seen = any(segment.captured and segment.sender == name for segment in self.segments)
        return state if seen or state != "ESTABLISHED" else "UNKNOWN"

    def built(self, sender: str) -> list[BuiltProbe]:
        """The probes of one end that were captured; their frames are those of the capture written last."""
        return [probe for probe in self.truth.probes if probe.sender == sender and probe.segment.captured]
