"""Where each fact lies in the rows of our tables.

A table is one flat sequence of 64-bit integers: a list while the kernels run plain, an int64 array once they are
compiled. Row r of a table starts at r * SIZE; the names below are offsets into a row. One flat sequence per table
(rather than one array per column) keeps what a packet touches within a few cache lines, makes every kernel's
parameters few, and needs no second layout for the plain run. Times are int64 nanoseconds since 1970, sequence
numbers are below 2**32, and a field that knows nothing holds 0 unless its comment says otherwise.
"""

from __future__ import annotations

# A record: where one captured packet lies in the buffer.
(OFFSET, CAPLEN, ORIGLEN, RECORD_TIME, LINK_TYPE) = range(5)
RECORD_SIZE = 5

# A packet: one TCP segment, or one ICMP error that quotes a TCP segment (then the addresses, ports and SEQ are those
# quoted, that is, of the segment's sender).
(
    KIND,  # 0: TCP segment; else 1 + ICMP type * 256 + code (+ ICMPV6 for version 6)
    FRAME,  # number within its file, from 1; the file's index above FRAME_BITS
    TIME,
    SRC_HI,  # addresses are two signed 64-bit halves; IPv4 is written as ::ffff:a.b.c.d (RFC 4291 2.5.5.2)
    SRC_LO,
    DST_HI,
    DST_LO,
    SPORT,
    DPORT,
    SEQ,
    ACKNO,
    FLAGS,
    LEN,
    WINDOW,  # as in the header, unscaled
    TTL,
    IP_ID,  # -1: IPv6
    TSVAL,  # of an ICMP error this and the next are its sender's address
    TSECR,
    OPTIONS,  # tcp.HAS_* bits
    SACK_LEFT,
    SACK_RIGHT,
    OCTET,  # first payload byte, -1 when none was captured
    HEARTBEAT,  # what tables.heartbeats knows this payload to be; 0 for other payload
    KEY_HASH,  # of addresses and ports, the same for both directions
    TUNNEL,  # 0 outside of any; else its id, its kind above TUNNEL_KIND; TUNNEL_SPLIT where it is part of the key
    COPY_HASH,  # of all that two copies of one segment have in common
) = range(26)
PACKET_SIZE = 26
STREAM = KEY_HASH  # once it has been tracked; -1 for a second copy and for an ICMP error about no connection
TUNNEL_KIND = 32
TUNNEL_ID = (1 << 40) - 1
TUNNEL_SPLIT = 1 << 40
WORLD = 41  # above it: a number that tells captures apart in which the same keys are other connections
TUNNEL_VXLAN = 1
TUNNEL_GENEVE = 2
TUNNEL_GRE = 3  # its key, or ERSPAN's session
ICMPV6 = 1 << 16
FRAME_BITS = 40

# A flow: its head, then its two endpoints (client first). Fields stand in the order of how often a packet touches them,
# eight words to a cache line: a usual segment needs the head's first and each endpoint's first two.
(
    LOW_LO,  # the key: both addresses and ports, the numerically lower endpoint first
    HIGH_LO,
    KEY_PORTS,  # low port << 16 | high port
    ROLES,  # bits below
    HANDSHAKE,  # bits below
    END_TIME,
    REQUEST_TIME,  # first new data of whoever spoke last (ROLES says who): a request, as long as it is not replied to
    REQUEST_FRAME,
    LOW_HI,  # the upper halves of both addresses
    HIGH_HI,
    OPEN_GAP,  # a gap that only one end has spoken after, so far
    OPEN_GAP_END,
    LONGEST_GAP,  # longest time without any packet after which both ends still spoke
    LONGEST_GAP_END,
    HASH,
    PREVIOUS,  # 1 + stream of the connection that used these addresses and ports before
    FIRST_TIME,
    FIRST_FRAME,
    HANDSHAKE_RTT,  # -1: not seen
    RESET_SIDE,  # 1 client, 2 server: who sent the first RST
    RESET_WHY,  # RESET_* below
    RESET_TIME,
    RESET_FRAME,
    EVENTS_KEPT,
) = range(24)
LINE = 8  # words in a cache line of 64 bytes: rows and their parts begin with one (`Kernels.ints`)
HEAD_SIZE = 3 * LINE

# ROLES bits; below, shifts and masks.
CLIENT_IS_LOW = 0x01
GAP_IS_OPEN = 0x02
SERVER_ENDED_GAP = 0x04
CLIENT_ASKED = 0x08
SERVER_ASKED = 0x10
NO_REPLY = 0x20  # what the client said last is an answer itself, or of a kind that draws none
UNPROMPTED = 0x40  # what the server said last nobody had asked for
HAS_UPPER_HALVES = 0x80  # LOW_HI or HIGH_HI is not 0: no IPv4
SLOWEST_REPLY = 8  # shifts: six bits: the server's slowest reply to a request took no longer than 1 << this nanoseconds
SLOWEST_MASK = 0x3F
TURNS, TURNS_MASK = 16, 0x3F  # how often the server replied, as far as that goes
# The size of what the client said last, and of the first of it without a reply: up to LARGE_WORD steps, or longer.
WORD, FIRST_WORD, WORD_MASK, WORD_STEP, LARGE_WORD = 22, 26, 0xF, 5, 11
DREW = 30  # a bit for each size: the client said something as long, and the server replied
LEFT = 42  # ... and the client went on without a reply after a second or more, before the server spoke again
WENT_ON, WENT_ON_MASK = 54, 0x7  # how often the client went on so since the last reply

# HANDSHAKE bits.
SAW_SYN = 0x01
SAW_SYN_ACK = 0x02
SAW_ACK = 0x04
SAW_SERVER_SYN = 0x08  # a bare SYN from the second endpoint: simultaneous open
SAW_REFUSAL = 0x10
SYN_RETRANSMITTED = 0x20
MIXED_TUNNELS = 0x40  # sequence numbers that do not fit came from tunnels with different ids
OLDER_LIFE = 0x80  # segments of an older connection came after the SYN
SAW_PURE_ACK = 0x100
OLDER_RESET = 0x200  # ... which the client answered with an RST
CHALLENGED = 0x400  # ... one of them an ACK in answer to the SYN
OPENING = 0x3F  # those that a connection's beginning leaves

# What an RST answered.
RESET_ABORT = 1  # nothing: the endpoint's own decision
RESET_REPLY_TO_PROBE = 2
RESET_REPLY_TO_DATA = 3
RESET_GIVEN_UP = 4  # it ended a run of unanswered probes of its sender
RESET_REFUSED = 5
RESET_REPLY_TO_ACK = 6  # a pure ACK that is no probe: a challenge ACK, mostly

# An endpoint, seen as the sender of its segments.
(
    STATE,
    KNOWN,  # bits below
    NXT,  # highest sequence number sent + 1, probes excluded
    UNA,  # highest acknowledgement received
    LAST_RX,  # when its TCP last accepted a segment; NEVER before that
    ADVANCE_TIME,  # when a segment last moved NXT
    MIN_RTT,  # -1 unknown: shortest time to an immediate answer, as seen at the capture point
    RESENT,  # how often it sent its oldest unacknowledged segment again
    LAST_TIME,
    LAST_WINDOW,  # as it last advertised, unscaled; above ADVANCE_LEN the length of the segment that last moved NXT
    PACKETS,  # probes among them
    BYTES,  # of data, also what was sent again
    LAST_DATA,  # when it last sent new data
    FINGERPRINT,  # fields below
    BEAT,  # its heartbeats: fields below
    LAST_PROBE,  # 1 + row of its last probe
    RUN,  # probes since LAST_RX, or that its own RST ended
    HELD,  # 1 + row of its last held probe
    ISN,
    SYN_TIME,
    SYN_TSVAL,  # above STAMP: the number of the segment that RESENT counts
    HEARD_RX,  # LAST_RX before what it may not have heard (HEARING_OPEN)
    FIN_END,  # sequence number after its FIN
    FIN_TIME,
    FIN_FRAME,
    RESENT_FIRST,
    RESENT_LAST,
    RESENT_GAP,  # time between the last two of them
    ZERO_SINCE,  # when its window closed; 0 while it is open
    BEAT_LAST,  # when the last of its heartbeats was sent
    BEAT_GAPS,  # the time between them: fields below
    STAMPS,  # TSecr of its last probe; above STAMP the TSval of what it may not have heard
) = range(32)
ENDPOINT_SIZE = 4 * LINE
FLOW_SIZE = HEAD_SIZE + 2 * ENDPOINT_SIZE
NEVER = -(1 << 62)

# KNOWN bits.
HAS_NXT = 0x01
NXT_IS_GUESS = 0x02  # only pure ACKs seen so far, and they may be probes
HAS_UNA = 0x04
SENT_SYN = 0x08
SENT_FIN = 0x10
FIN_ACKED = 0x20
SENT_RST = 0x40
HOLDS_BACK = 0x80  # HELD is not 0
ACKED_UNSEEN = 0x100  # its peer acknowledged what the capture lacks
HEARING_OPEN = 0x200  # what passed on its way to it last may not have arrived: it has not shown yet
ECHOES_ACKS = 0x400  # its TSecr moves with pure ACKs, as RFC 7323 4.3 has it (RFC 1323 did not)
AFTER_FIN = 0x800  # it sent data after it had acknowledged its peer's FIN
SKIPPED = 0x1000  # a pure ACK of its own moved NXT last, past data that the capture lacks
KNOWN_TUNNEL = 13  # above these bits: the tunnel it was last seen in, as in TUNNEL

STAMP, ADVANCE_LEN, WINDOW_MASK = 32, 16, 0xFFFF  # shift, in STAMPS and SYN_TSVAL; shift and mask, in LAST_WINDOW

# FINGERPRINT: what tells a sender's packets from those that a middlebox makes in its name, in one word.
TTL_LOW = 0  # shifts: eight bits each, lowest and highest seen
TTL_HIGH = 8
OPTIONS_SEEN = 16  # eight bits: tcp.HAS_* of any segment
ID_LAST = 24  # sixteen bits
ID_ZERO = 1 << 40  # bits: an IP ID of 0 was seen, one above the last, any other
ID_NEXT = 1 << 41
ID_OTHER = 1 << 42

# BEAT: data that one end sends again and again, to show or to see that it is there.
BEATS_SENT, BEATS_ANSWERED, BEATS_MASK = 0, 20, (1 << 20) - 1  # twenty bits each: how many, how many drew data
BEAT_WAITS = 1 << 40  # the last of them has drawn none yet
BEAT_LENGTH, BEAT_REPLY = 41, 49  # eight bits each, where only a rhythm tells: their length, that of what they drew
BEAT_PROTOCOL = 57  # shift, the rest: 1 + index of HEARTBEAT_PROTOCOLS; 0 where only a rhythm tells
# BEAT_GAPS: twenty-six bits each, the shortest and above BEAT_LONGEST the longest, in milliseconds.
BEAT_LONGEST, BEAT_GAP_MASK = 26, (1 << 26) - 1
BEATS_ODD, BEATS_ODD_MASK = 52, 0xFF  # eight bits: how often another length came in their place, or was drawn by one
BEAT_KIND = 60  # shift, the rest: 1 + index of tables.heartbeats.KINDS where all bytes are its; 0 for others
# So many at one pace are heartbeats; one more for each eighth that gaps differ beyond the first, for two with replies.
BEATS_IN_RHYTHM = 5
BEATS_UNEVEN = 8

# A probe: a segment that asks whether the peer is there, or may be one. A long capture holds more of these than of
# anything else, so small fields share words.
(
    PROBE_FRAME,
    PROBE_TIME,
    PROBE_WHO,  # its sequence number; above PROBER_SHIFT the prober: stream * 2 + (0 client, 1 server)
    PROBE_MARKS,  # its acknowledgement number above MARK_BITS; below, what follows here
    PROBE_SINCE,  # the prober's LAST_RX (or its first segment) when it sent this
    ANSWER_FRAME,
    ANSWER_TIME,  # of an unanswered one: when something else ended its idle gap
    PROBE_BEFORE,  # 1 + row of the same prober's probe before
) = range(8)
PROBE_SIZE = 8
PROBER_SHIFT = 32
MARK_BITS = 16

# PROBE_MARKS bits.
ONE_OCTET = 0x01
PEER_WINDOW_ZERO = 0x02
HELD_BACK = 0x04  # shape unproven: no acknowledgement told where the prober's sequence space stands
ONE_SIDED = 0x08  # accepted without any segment of the peer
EARLY = 0x10  # sooner after a received segment than a keepalive timer can fire
REJECTED = 0x20  # held back, and later shown to be an ordinary ACK
NEW_OCTET = 0x40  # carries the next byte into a closed window: BSD and Windows probe windows so
WITHOUT_TIMESTAMPS = 0x80
QUOTED = 0x100  # an ICMP error quoted it

# What answered it, from the weakest: PROBE_MARKS & ANSWER.
ANSWER = 0x600
ANSWER_NONE = 0x000
ANSWER_IMPLICIT = 0x200  # data that acknowledges, within a round trip
ANSWER_ACK = 0x400
ANSWER_RST = 0x600

GAP_END = 0x3800  # in the last probe of an idle gap: what ended the gap
GAP_OPEN = 0x0000
GAP_ANSWERED = 0x0800  # the prober's TCP accepted a pure ACK
GAP_DATA = 0x1000  # ... or data
GAP_PEER_RST = 0x1800
GAP_OWN_RST = 0x2000
GAP_OWN_DATA = 0x2800
GAP_OWN_FIN = 0x3000
GAP_PEER_FIN = 0x3800

# An event: what happens seldom and says why a connection ended. At most EVENTS_PER_FLOW are kept per flow.
(
    EVENT_KIND,  # EVENT_* below
    EVENT_FRAME,
    EVENT_TIME,
    EVENT_ENDPOINT,  # stream * 2 + sender
    EVENT_SEQ,
    EVENT_ACK,
    EVENT_FLAGS,
    EVENT_TTL,
    EVENT_IP_ID,
    EVENT_WINDOW,
    EVENT_OPTIONS,
    EVENT_WHY,  # RESET_* of an RST; ICMP kind; 1 + index of heartbeats.SAID
    EVENT_SINCE,  # start of what ended, a run or a closed window; its last data before; with the next, an ICMP sender
    EVENT_COUNT,  # of a heartbeat: which of its sender's it is; the number in what was said
) = range(14)
EVENT_SIZE, EVENT_SINCE_PEER = 14, EVENT_OPTIONS  # of what was said: the other end's last data before it
EVENT_RST = 1
EVENT_ICMP = 2
EVENT_RESENT = 3
EVENT_ZERO_WINDOW = 4
EVENT_TUNNEL = 5
EVENT_BEAT = 6
EVENT_SAID = 7  # of heartbeats: how often they come, or that they come too often or not often enough
EVENTS_PER_FLOW = 16
EVENTS_PER_SEGMENT = 4  # at most: another tunnel, a run that ended, a window that opened, a heartbeat

RECENT_SETS = 1 << 13  # recently seen segments, to recognise copies: sets of two (signature, time) pairs
RECENT_SETS_ACROSS = 1 << 18  # where two captures of one traffic may lie further apart
RECENT_SET = 4
FILE_BITS = 16  # the lowest of a signature: which file it was in
COPIES = 2  # how many each file had: of its own packets, and of another file's

# Counters that kernels keep.
(FLOW_COUNT, PROBE_COUNT, EVENT_COUNT_, TCP_PACKETS, ICMP_PACKETS, SPLIT, FIRST_SKIP) = range(7)
# Why a frame gave no packet: counts[FIRST_SKIP + reason].
SKIP_REASONS = {
    "unsupported_link_type": "a link type that is not decoded",
    "not_ip": "no IP packet: ARP, LLDP, spanning tree and the like",
    "not_tcp": "IP, but neither TCP nor an ICMP error",
    "ip_fragment": "a later fragment of an IP packet: the first one carries the TCP header",
    "truncated": "cut too short to hold a TCP header",
    "malformed": "lengths in the headers contradict each other",
    "icmp_without_tcp": "an ICMP error that quotes no TCP header, or too little of one",
    "no_packet": "a record without a packet that Wireshark numbers as a frame: a journal entry, a custom block",
}
(UNSUPPORTED_LINK_TYPE, NOT_IP, NOT_TCP, IP_FRAGMENT, TRUNCATED, MALFORMED, ICMP_WITHOUT_TCP) = range(7)
COUNTS_SIZE = FIRST_SKIP + len(SKIP_REASONS)
