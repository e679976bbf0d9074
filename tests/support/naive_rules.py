"""One endpoint as the naive tracker knows it, and the rules R1, R2, R3, R6, R7 and R10 by which it probes."""

from __future__ import annotations

from dataclasses import dataclass, field

from naive_packets import Address, Packet

from analyzer.tcp import TRANSITIONS, Event, State

WRAP = 1 << 32
SECOND = 10**9
HOUR = 3600 * SECOND
QUIET = SECOND * 9 // 10  # R9: no keepalive timer fires sooner


@dataclass
class Probe:
    """A segment that asks whether the peer is there; `proven` once its number is known to be old."""

    packet: Packet
    sender: str
    seq: int
    proven: bool = True
    answer: Packet | None = None
    kind: str | None = None
    icmp: Packet | None = None
    since: int | None = None  # when its sender's TCP had last accepted a segment


@dataclass
class End:
    """One endpoint, and what the capture has shown of it so far."""

    name: str
    address: Address
    state: State = State.UNKNOWN
    near: int | None = None  # any unwrapped number of its sequence space
    nxt: int | None = None
    nxt_is_guess: bool = False
    skipped: bool = False  # a pure ACK of its own moved `nxt` last, past what the capture lacks
    acked: int | None = None
    packets: int = 0
    bytes: int = 0
    last: Packet | None = None
    window: int | None = None
    syn: Packet | None = None
    syn_again: int = 0
    newest: Packet | None = None  # the segment that last moved `nxt`
    newest_seq: int = 0
    last_data: int | None = None
    fin_end: int | None = None
    fin_frame: int | None = None
    fin_acked: bool = False
    fin_time: int = 0
    resent: int = 0  # how often the oldest unacknowledged segment was sent again
    resent_seq: int = 0
    resent_last: int = 0
    rtt: int | None = None
    probes: list[Probe] = field(default_factory=list)
    held: list[Probe] = field(default_factory=list)
    has_reset: bool = False
    run: int = 0  # probes since its TCP last accepted a segment
    rx: int | None = None  # when that was
    unsure: tuple[int, int | None] | None = None  # the first TSval that it may not have heard, and `rx` before that
    echoes_acks: bool = False  # its TSecr has moved with a pure ACK
    echo: int = 0  # the TSecr of its last probe

    def unwrap(self, number: int) -> int:
        """The number of its sequence space nearest to those seen before."""
        self.near = self.nearest(number)
        return self.near

    def nearest(self, number: int) -> int:
        """The same, to look at without believing it."""
        if self.near is None:
            return number
        return self.near + (number - self.near + WRAP // 2) % WRAP - WRAP // 2

    @property
    def outstanding(self) -> bool:
        return self.nxt is not None and self.acked is not None and self.nxt > self.acked

    def note_rtt(self, took: int) -> None:
        if 0 <= took < HOUR and (self.rtt is None or took < self.rtt):
            self.rtt = took

    def count_resent(self, seq: int, time: int) -> None:
        if self.resent:
            latest = max(self.newest.time if self.newest else 0, self.syn_again)
            if seq > self.resent_seq and latest <= self.resent_last:
                return
            if seq != self.resent_seq:
                self.resent = 0
        if not self.resent:
            self.resent_seq = seq
        self.resent += 1
        self.resent_last = time

    # -- what it heard

    def accept(self, packet: Packet) -> None:
        """Its TCP takes this segment, if it arrives; after its own RST there is none to take it."""
        if self.has_reset:
            return
        quiet = self.run > 0 or packet.time - (self.last.time if self.last else 0) >= QUIET
        if self.unsure is None and quiet and (packet.timestamps is not None or packet.length > 0):
            self.unsure = (packet.timestamps[0] if packet.timestamps else 0, self.rx)
        self.run = 0
        self.rx = max(packet.time, self.rx or packet.time)

    def hear(self, packet: Packet, peer: End) -> None:
        """Its own segment shows whether what was accepted arrived: by what it acknowledges, and by what it echoes."""
        assert self.unsure is not None
        passed, before = self.unsure
        if "A" not in packet.flags or "S" in packet.flags:
            return
        if peer.acked is not None and peer.nearest(packet.ack) > peer.acked:
            self.unsure = None
        elif packet.timestamps is not None and (packet.timestamps[1] - passed) % WRAP < WRAP // 2:
            self.unsure = None
            self.echoes_acks = True
        elif self.shows_unheard(packet, peer, before):
            self.unsure = None
            self.run = len(self.run_since(before))
            self.rx = before

    def run_since(self, since: int | None) -> list[Probe]:
        run: list[Probe] = []
        for probe in reversed(self.probes[-127:]):
            if probe.since != since:
                break
            run.insert(0, probe)
        return run

    def shows_unheard(self, packet: Packet, peer: End, before: int | None) -> bool:
        assert self.rx is not None
        if packet.time - self.rx < max(QUIET, 2 * (peer.rtt if peer.rtt is not None else -1)):
            return False
        if peer.outstanding:
            return True
        if packet.timestamps is None:
            return False
        run = self.run_since(before)
        if self.echoes_acks or before is None or not run:
            return self.echoes_acks
        first = run[0].packet.time - before
        return packet.time - run[-1].packet.time < first - first // 8

    def heard_unseen(self, packet: Packet) -> None:
        """The echo has moved since its last probe, which nothing answered: that answer was not captured."""
        if not self.run or self.rx is not None or packet.timestamps is None or not self.echo:
            return
        moved = (packet.timestamps[1] - self.echo + WRAP // 2) % WRAP - WRAP // 2
        last = self.probes[-1]
        if moved <= 0 or last.kind is not None:
            return
        last.kind = "ack"
        self.run = 0
        self.rx = last.packet.time + max(self.rtt or 0, 0)

    def move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state].get(event, self.state)

    def settle(self, nxt: int, latest: int) -> None:
        """Its next number is known now: what was held back is a probe if it stood just below.

        Where its own next segment told, what was sent after `latest`, shortly before, is none: one byte may have been
        sent between, and missed.
        """
        for probe in reversed(self.held):
            probe.proven = nxt == probe.seq + 1 and probe.packet.time <= latest
            if not probe.proven:
                self.probes.remove(probe)
                self.run = 0
        self.held.clear()


def as_probe(packet: Packet, x: End, y: End) -> Probe | None:
    """The probe that a plain ACK of no or one byte is, or may be (then not `proven`)."""
    seq = x.unwrap(packet.seq)
    if packet.length == 0:
        proven = zero_length(packet, seq, x, y)
    else:
        proven = one_octet(packet, seq, x, y)
    return None if proven is None else Probe(packet, x.name, seq, proven)


def behind_hole(packet: Packet, seq: int, x: End, y: End) -> bool:
    """After a silence, and ahead of all that was seen of `x`: what it sent before was not captured."""
    last = max([end.last.time for end in (x, y) if end.last is not None], default=0)
    ahead = x.nxt is not None and x.nxt < seq < x.nxt + (1 << 30)
    return ahead and packet.time - last >= QUIET and not y.run


def zero_length(packet: Packet, seq: int, x: End, y: End) -> bool | None:
    """True: a probe. False: perhaps. None: certainly not."""
    quiet = x.last is None or packet.time - x.last.time >= QUIET
    # R7, R10: an ACK sent just before one byte, or before the FIN, has the number that a probe after it would have.
    if x.newest is not None and x.newest.space == 1 and x.newest_seq == seq and packet.time - x.newest.time < QUIET:
        return None
    if behind_hole(packet, seq, x, y):
        return False
    if x.acked is not None and not x.outstanding:
        return True if seq == x.acked - 1 else None
    # The acknowledgement of the last byte was not captured: nothing else stands below NXT after a silence.
    if x.nxt is not None and quiet and seq == x.nxt - 1:
        return None if x.fin_end is not None and seq == x.fin_end - 1 else True
    if x.nxt is not None and not x.nxt_is_guess:
        return None
    # R2: the capture has shown nothing yet by which to tell.
    return False if x.nxt is None or (quiet and seq == x.nxt) else None


def one_octet(packet: Packet, seq: int, x: End, y: End) -> bool | None:
    """R6: the byte was acknowledged long ago."""
    since = packet.time - x.newest.time if x.newest is not None else packet.time
    if not packet.pushed_or_nonzero and behind_hole(packet, seq, x, y):
        return False
    if x.acked is not None:
        if y.window == 0 and seq == x.acked:
            return True  # R5: new data to ask whether the window has opened
        if x.outstanding or seq != x.acked - 1:
            return None
        return True if since > max(QUIET, 4 * (x.rtt or 0)) else None
    if x.nxt is not None and not x.nxt_is_guess:
        alone = seq == x.nxt - 1 and x.newest is not None and x.newest.space > 1 and since >= QUIET
        return True if alone else None
    if packet.pushed_or_nonzero:
        return None
    return False if x.nxt is None or seq == x.nxt else None
