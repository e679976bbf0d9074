"""The slow and obvious twin of the tracker: RFC 9293 and the rules of detection, one packet at a time, with objects.

Sequence numbers are unwrapped to plain integers as soon as they are read, so that nothing here is modular.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from naive_packets import LATE_COPY_NS, Address, Packet, read
from naive_roles import settle
from naive_rules import QUIET, SECOND, WRAP, End, Probe, as_probe

from analyzer.tcp import Event, State
from analyzer.wire import SERVICE_PORTS

REORDERED = 3_000_000  # a segment this soon after a later one was overtaken on its way
PATIENCE = 3 * SECOND
CROSSING = SECOND
PROMPT = SECOND // 5
FAR = 1 << 24  # numbers further apart are of two connections
CHALLENGED_NS = 1_000_000_000  # a challenge ACK comes before the SYN is sent again
FAR_AHEAD = 1 << 30  # an acknowledgement that is of another connection


@dataclass
class Connection:
    """One connection; `first_reset` is who reset it and why."""

    client: End
    server: End
    previous: Connection | None = None
    handshake: set[str] = field(default_factory=set)
    first_reset: tuple[str, str] | None = None

    def ends(self, packet: Packet) -> tuple[End, End]:
        """Sender and receiver."""
        return (self.client, self.server) if packet.source == self.client.address else (self.server, self.client)

    # -- a segment

    def segment(self, packet: Packet) -> None:
        x, y = self.ends(packet)
        if is_late_copy(packet, x, y):
            return
        if of_older_life(packet, self):
            assert y.last is not None
            self.handshake.add("older_life")
            if packet.is_reset:
                self.handshake.add("older_reset")
            elif "F" not in packet.flags and packet.length == 0 and packet.time - y.last.time <= CHALLENGED_NS:
                self.handshake.add("challenged")
            x.packets += 1
            x.last = packet
            return
        if x.unsure is not None:
            x.hear(packet, y)
        if packet.is_reset:
            self.reset(packet, x, y)
        else:
            self.ordinary(packet, x, y)
        x.packets += 1
        x.last = packet

    def ordinary(self, packet: Packet, x: End, y: End) -> None:
        if "A" in packet.flags:
            self.acknowledge(packet, x, y)
        probe = None
        if "A" in packet.flags and not set("SF") & set(packet.flags) and packet.length <= 1:
            probe = as_probe(packet, x, y)
        if probe is not None:
            self.note_probe(probe, x)
        else:
            x.has_reset = False  # that RST was not its own
            x.bytes += packet.length
            self.transfer(packet, x, y)
        if "S" in packet.flags:
            self.synchronise(packet, x, y)
        elif "F" in packet.flags:
            x.move(Event.SENT_FIN)
            if x.fin_end is None:
                x.fin_end, x.fin_frame = x.unwrap(packet.seq) + packet.space, packet.frame
                x.fin_time = packet.time
        elif "A" in packet.flags:
            x.move(Event.SENT_SEGMENT)
        x.window = packet.window

    def acknowledge(self, packet: Packet, x: End, y: End) -> None:
        """What `x` tells about the sequence space of `y`."""
        if y.acked is not None and not y.acked < y.nearest(packet.ack) <= y.acked + FAR_AHEAD:
            return
        acked = y.unwrap(packet.ack)
        if acked == y.nxt and not y.nxt_is_guess and not y.resent and y.newest is not None:
            y.note_rtt(packet.time - max(y.newest.time, y.syn_again))
        y.acked = acked
        y.settle(acked, packet.time)
        if y.nxt is None or y.nxt_is_guess or acked > y.nxt:
            y.nxt, y.nxt_is_guess = acked, False
        y.resent = 0
        if y.fin_end is not None and not y.fin_acked and acked == y.fin_end:
            y.fin_acked = True
            x.move(Event.RCVD_FIN)
            y.move(Event.RCVD_ACK_OF_FIN)
        if y.state is State.SYN_RECEIVED:
            y.move(Event.RCVD_ACK_OF_SYN)
            if "ack" not in self.handshake and y.syn is not None and y.syn_again <= y.syn.time:
                y.note_rtt(packet.time - y.syn.time)
            self.handshake.add("ack")

    def note_probe(self, probe: Probe, x: End) -> None:
        x.heard_unseen(probe.packet)
        x.echo = probe.packet.timestamps[1] if probe.packet.timestamps else 0
        if not probe.proven and x.nxt is not None and probe.seq > x.nxt:
            x.rx = None  # what it heard in the hole is not known
        probe.since = x.rx
        x.probes.append(probe)
        x.run += 1
        if not probe.proven:
            x.held.append(probe)
            x.nxt, x.nxt_is_guess = probe.seq, True
        elif x.nxt_is_guess and x.nxt is not None:
            x.settle(x.nxt, probe.packet.time - QUIET)
            x.nxt_is_guess = False

    def transfer(self, packet: Packet, x: End, y: End) -> None:
        """A segment that is no probe: it moves the sender's number on, or repeats, and the receiver takes it or not."""
        seq = x.unwrap(packet.seq)
        end = seq + packet.space
        expected = seq if x.nxt is None else x.nxt
        is_new = packet.space > 0 and (x.nxt is None or end > x.nxt)
        if x.held and (packet.space > 0 or end != x.nxt):
            x.settle(seq, packet.time - QUIET)
        if x.nxt is None or end > x.nxt:
            x.skipped = not is_new and (x.skipped or (x.nxt is not None and not x.nxt_is_guess))
            x.nxt_is_guess = (x.nxt_is_guess and not is_new) or (x.nxt is None and not is_new)
            x.nxt = end
            if is_new:
                x.newest, x.newest_seq = packet, seq
        elif packet.space > 0 and end == x.nxt and x.skipped:  # seen at last
            x.skipped, is_new, x.newest, x.newest_seq = False, True, packet, seq
        elif packet.space > 0:
            overtaken = x.newest is not None and packet.time - x.newest.time < REORDERED and x.resent == 0
            if not overtaken and not (x.acked is not None and end <= x.acked):
                x.count_resent(seq, packet.time)
        if packet.space - ("S" in packet.flags) == 0 and "S" not in packet.flags:
            if seq >= expected:
                self.answer(packet, y, "ack")
                y.accept(packet)
        elif is_new or x.acked is None or seq + packet.length > x.acked:
            if y.run:
                self.answer(packet, y, "data")
            y.accept(packet)
        if is_new and packet.length > 0:
            x.last_data = packet.time

    def answer(self, packet: Packet, prober: End, kind: str) -> None:
        """Pair an acknowledgement with the probe that it answers: the youngest that is a round trip old."""
        rtt = -1 if prober.rtt is None else prober.rtt
        number = prober.unwrap(packet.ack)
        same_window = kind == "ack" and packet.window == self.ends(packet)[0].window
        found = None
        for probe in reversed(prober.probes[-64:]):
            age = packet.time - probe.packet.time
            if probe.kind in ("ack", "rst"):
                break
            waits = probe is prober.probes[-1] and probe.kind is None and prober.run > 0 and same_window
            if age > max(PATIENCE, 4 * rtt) and not waits:
                break
            if number == probe.seq + 1:
                found = probe
                if age >= rtt * 3 / 4:
                    break
        if found is None:
            return
        age = packet.time - found.packet.time
        if kind == "data" and age > max(CROSSING, 2 * rtt):
            return
        sole = found is prober.probes[-1] and (len(prober.probes) == 1 or prober.probes[-2].kind is not None)
        sole = sole and age <= max(PATIENCE, 4 * rtt)
        if kind == "ack" and sole:
            prober.note_rtt(age)
        found.answer, found.kind = packet, kind

    # -- beginnings and endings

    def synchronise(self, packet: Packet, x: End, y: End) -> None:
        if x.syn is None:
            x.syn = packet
        else:
            x.syn_again = packet.time
        if "A" not in packet.flags:
            self.handshake.add("syn" if x is self.client else "server_syn")
            x.move(Event.SENT_SYN)
            return
        if "syn_ack" not in self.handshake and y.syn is not None:
            echoed = packet.timestamps is not None and y.syn.timestamps is not None and y.syn.timestamps[0] != 0
            which = echoed and packet.timestamps is not None and packet.timestamps[1] == (y.syn.timestamps or (0,))[0]
            again = max(y.syn.time, y.syn_again)
            asked = y.syn.time if which and packet.time - again >= PROMPT else again
            y.note_rtt(packet.time - asked)
        self.handshake.add("syn_ack")
        x.move(Event.SENT_SYN_ACK)

    def reset(self, packet: Packet, x: End, y: End) -> None:
        why = self.reset_reason(packet, x, y)
        if x.held:
            x.settle(x.unwrap(packet.seq), packet.time - QUIET)
            why = "given_up" if x.run and why == "abort" else why
        if why == "refused":
            self.handshake.add("refusal")
        if why == "reply_to_probe":
            y.probes[-1].answer, y.probes[-1].kind = packet, "rst"
        if self.first_reset is None or (self.first_reset == (x.name, "abort") and why == "reply_to_probe"):
            self.first_reset = (x.name, why)
        answers = x.has_reset and "A" not in packet.flags
        x.has_reset = True
        x.move(Event.SENT_RST)
        y.move(Event.RESET_IN_DOUBT if (x.run or x.resent) and not answers else Event.RCVD_RST)
        if not y.has_reset:
            y.run = 0

    def reset_reason(self, packet: Packet, x: End, y: End) -> str:
        """What the reset answered: one made for an unknown segment has that segment's ACK number and no ACK flag."""
        bare = "A" not in packet.flags
        if y.state is State.SYN_SENT:
            return "refused"
        if bare and y.run and y.probes and packet.seq == y.probes[-1].packet.ack:
            return "reply_to_probe"
        if x.run:
            return "given_up"
        answers = bare and x.acked is not None and packet.seq == x.acked % WRAP
        if answers and y.last_data is not None and y.outstanding:
            return "reply_to_data"
        closing = y.fin_end is not None and y.last is not None and y.fin_time == y.last.time
        known = y.state is not State.SYN_RECEIVED and not closing  # there is nothing to forget before, or after
        if answers and known and y.last is not None and (x.last is None or y.last.time >= x.last.time):
            if packet.time - y.last.time <= max(PROMPT, 2 * (y.rtt or 0)):
                return "reply_to_ack"
        return "abort"

    def icmp(self, packet: Packet) -> None:
        x, _ = self.ends(packet)
        if x.probes and x.probes[-1].packet.seq == packet.seq and x.probes[-1].icmp is None:
            x.probes[-1].icmp = packet


def is_late_copy(packet: Packet, x: End, y: End) -> bool:
    """The sender's last segment again, a probe or the answer to one, sooner than any timer."""
    last = x.last
    if last is None or packet.flags != "A" or packet.length > 1:
        return False
    if not 0 <= packet.time - last.time <= min(max(LATE_COPY_NS, x.rtt or 0, y.rtt or 0), QUIET):
        return False
    if packet.time - last.time > LATE_COPY_NS and not y.window:
        return False
    if (packet.seq, packet.ack, packet.window) != (last.seq, last.ack, last.window) or packet.length != last.length:
        return False
    if packet.ip_id and packet.ip_id != last.ip_id:
        return False
    if x.probes and x.probes[-1].packet is last:
        return x.probes[-1].proven or y.last is None or y.last.time <= last.time
    if not y.probes or packet.length:
        return False
    asked = y.probes[-1]
    return asked.answer is last and asked.kind == "ack" and y.last is asked.packet


class Connections:
    """All connections of a capture, in the order of their first packets."""

    def __init__(self) -> None:
        self.all: list[Connection] = []
        self.latest: dict[frozenset[Address], Connection] = {}

    def find(self, packet: Packet) -> Connection | None:
        """The connection that a packet belongs to."""
        found = self.latest.get(frozenset((packet.source, packet.target)))
        if packet.quoted:
            return found
        if found is not None:
            if packet.is_bare_syn or ("S" in packet.flags and not packet.is_reset):
                if not opens_anew(packet, found):
                    return found
            elif found.previous is not None and of_older_life(packet, found):
                return found.previous
            else:
                return found
        return self.open(packet, found)

    def open(self, packet: Packet, previous: Connection | None) -> Connection:
        """A new connection; without a SYN the port that is likelier a client's is taken for one, or the higher."""
        client, server = packet.source, packet.target
        if "S" in packet.flags:
            by_server = "A" in packet.flags
        else:
            by_server = as_service(packet.source[1]) > as_service(packet.target[1])
        if by_server:
            client, server = server, client
        made = Connection(End("client", client), End("server", server), previous)
        self.latest[frozenset((client, server))] = made
        self.all.append(made)
        return made


def as_service(port: int) -> tuple[int, int]:
    """Ports in the order in which they are likely a server's."""
    if port < 600 or port in SERVICE_PORTS:
        return 5, -port
    ephemeral = [port in range(1025, 5001), port in range(32_768, 61_000), port in range(49_152, 65_536)]
    if not any(ephemeral):
        return (4 if port < 5000 else 3), -port
    return 2 - ephemeral[2], -port


def opens_anew(packet: Packet, connection: Connection) -> bool:
    """Whether a SYN on addresses and ports in use begins the next connection."""
    x, y = connection.ends(packet)
    if x.syn is not None:
        return x.syn.seq != packet.seq
    if "A" not in packet.flags:
        simultaneous = y.syn is not None and not connection.handshake & {"syn_ack", "ack", "refusal"}
        return not simultaneous
    if y.syn is not None:
        return False
    return x.nxt is not None and x.nearest(packet.seq) != x.nxt - 1


def of_older_life(packet: Packet, connection: Connection) -> bool:
    """A challenge ACK to a new SYN, and the RST that it draws (RFC 9293 3.10.7.3 and 3.10.7.4)."""
    x, y = connection.ends(packet)
    if State.SYN_SENT not in (x.state, y.state) or connection.handshake & {"syn_ack", "server_syn"}:
        return False
    if "S" in packet.flags:
        return False
    captured = connection.previous is not None
    if x.syn is not None:
        if captured:
            return packet.is_reset or packet.seq != (x.syn.seq + 1) % WRAP
        return packet.is_reset and "older_life" in connection.handshake
    assert y.syn is not None
    if captured:
        return "A" not in packet.flags or packet.ack != (y.syn.seq + 1) % WRAP
    ahead = y.nearest(packet.ack) - (y.nxt or 0)
    return "A" in packet.flags and not packet.is_reset and not 0 <= ahead <= FAR


def track(capture: bytes) -> list[Connection]:
    """The connections of a capture file."""
    connections = Connections()
    for packet in read(capture):
        connection = connections.find(packet)
        if connection is None:
            continue
        if packet.quoted:
            connection.icmp(packet)
        else:
            connection.segment(packet)
    settle(connections.all)
    return connections.all
