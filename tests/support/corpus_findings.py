"""Findings in public captures that their packets do not bear, as a careful reader judged them, and why."""

from __future__ import annotations

from typing import NamedTuple

GONE = "gone"  # not to be found as something urgent, however unsure
SURENESS = (GONE, "possible", "likely", "certain")

CHRIS = "chrissanders+packets/"
SURICATA = "OISF+suricata-verify/tests/"
NFSTREAM = "nfstream+nfstream/tests/pcaps/"
NDPI = "ntop+nDPI/tests/cfgs/default/pcap/"
EXAMPLES = "seladb+PcapPlusPlus/Tests/ExamplesTest/pcap_examples/"
PACKETS = "seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/"
PCAPPP = "seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/"
SHOWCASE = "AlexeyVasilev+PcapFlowLab/examples/showcase/pcap_flow_lab_showcase.pcap"
TCPDUMP = "the-tcpdump-group+tcpdump/tests/"

RECOVERED = "frames 87, 163 and 196 are three segments, new data follows each, and the file has no pure ACK at all"
ANSWERS_A_FIN = "the RST answers a FIN, the first packet captured: nobody held a dead connection, the server closed it"
ONE_AND_RST = "late data and an RST are the whole connection: its client may have closed before the capture"
NOT_ITS_ACK = "the ACKs lie 1230 bytes past all that the server sent, which resends its FIN after them"
OUTLIER = "a few damaged or wrongly scaled time stamps lie years from all others: nobody saw that silence"
SPLICED = "recordings of different times in one file: what lies between them was not recorded"
PICKED = "packets picked from days of recordings, with OpenFlow echoes (heartbeats) among them"
KNEW_THE_FIN = "the data (4231, close_notify) acknowledges the FIN: it did not cross it"
CLOSING = "a FIN of it is there and the other direction is not: it is being closed, not left idle"
IN_FLIGHT = "data in flight is neither acknowledged nor sent again: the file holds only the beginning of it"
BGP = "BGP KEEPALIVE messages are in it; with a hold time of 180 s there need be none in the last ten"
NO_REQUEST = "the client's last message answers two of the server's; nothing says that it asks for a reply"
SECOND_HALF = "FIN and ACK of a connection older than the capture: as well the second half of a close as the first"
SOON = "half a minute at most since the FIN: a program that closes late looks the same"
DOES_CLOSE_LATE = "11.4 s since the FIN; 53623 of the same host, in this file, is closed 15.2 s after it"
MET_A_RST = "its probe met an RST 45.3 s after the FIN: the socket was gone, whatever the capture shows after that"
ONE_ATTEMPT = "24 SYNs of one 4-tuple, most of them crafted, within four seconds; the last was answered"
ASKED = "every ten seconds 63 bytes are asked and answered, until the host sends everything through a VPN"
OTHER_LEG = "the same connection on the other leg of a NAT shows that the server did close it"


class Disputed(NamedTuple):
    """What is not to be said of these connections, or not surer than `at_most`."""

    capture: str
    streams: tuple[int, ...]
    rule: str
    at_most: str
    reason: str


LEAK, IDLE, UNANSWERED = "close-wait-leak", "unprotected-idle", "connection-unanswered"
EXAMPLE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14)
DISPUTED = (
    Disputed(NFSTREAM + "bitcoin.pcap", (1,), "retransmission-timeout", GONE, RECOVERED),
    Disputed(NFSTREAM + "googledns_android10.pcap", (0, 4), "lost-state", GONE, ANSWERS_A_FIN),
    Disputed(SURICATA + "smb2-named-pipe-unicode/input.pcap", (1,), "lost-state", "possible", ONE_AND_RST),
    Disputed(NFSTREAM + "KakaoTalk_chat.pcap", (1,), LEAK, GONE, NOT_ITS_ACK),
    Disputed(SURICATA + "transform-base64-7296/input.pcap", (1,), LEAK, GONE, OUTLIER),
    Disputed(EXAMPLES + "many-protocols.pcap", (71,), "keepalive-race", GONE, KNEW_THE_FIN),
    Disputed(SURICATA + "bug-5437-02/input.pcap", (8,), IDLE, GONE, CLOSING),
    Disputed(NDPI + "fuzz-2006-06-26-2594.pcap", (20,), IDLE, GONE, CLOSING),
    Disputed(NDPI + "fuzz-2006-09-29-28586.pcap", (11, 13, 18, 23), IDLE, GONE, CLOSING),
    Disputed(NDPI + "pinterest.pcap", (2, 3, 15, 16, 17, 19), IDLE, GONE, IN_FLIGHT),
    Disputed(NDPI + "ookla.pcap", (4,), IDLE, GONE, IN_FLIGHT),
    Disputed(NDPI + "rtmp.pcap", (1,), IDLE, GONE, IN_FLIGHT),
    Disputed(SHOWCASE, (25,), IDLE, GONE, IN_FLIGHT),
    Disputed(TCPDUMP + "ipoib.pcap", (0,), IDLE, GONE, CLOSING),
    Disputed(TCPDUMP + "ldp-common-session.pcap", (0,), IDLE, GONE, CLOSING),
    Disputed(TCPDUMP + "bgp-4byte-asn.pcap", (0, 3, 4), IDLE, GONE, BGP),
    Disputed(SURICATA + "transform-base64-7296/input.pcap", (0, 2, 4), IDLE, GONE, OUTLIER),
    Disputed(PCAPPP + "file_heuristics/pcapng-example.pcapng.zst", EXAMPLE, IDLE, GONE, OUTLIER),
    Disputed(PCAPPP + "pcapng-example.pcapng", EXAMPLE, IDLE, GONE, OUTLIER),
    Disputed(TCPDUMP + "bgp_vpn_rt-oobr.pcap", (0,), IDLE, GONE, OUTLIER),
    Disputed(TCPDUMP + "kday7.pcap", (0, 1, 2, 4, 5), IDLE, GONE, OUTLIER),
    Disputed(NDPI + "anydesk.pcapng", (0, 1, 2), IDLE, GONE, SPLICED),
    Disputed(NDPI + "h323.pcap", (0, 1, 3), IDLE, GONE, SPLICED),
    Disputed(NDPI + "ookla.pcap", (0, 1, 3), IDLE, GONE, SPLICED),
    Disputed(NDPI + "rtmp.pcap", (0,), IDLE, GONE, SPLICED),
    Disputed(EXAMPLES + "tls.pcap", (0,), IDLE, GONE, SPLICED),
    Disputed(PACKETS + "BgpPackets.pcap", (0, 1, 2, 3), IDLE, GONE, SPLICED),
    Disputed(PACKETS + "ldap.pcapng", (0, 1, 2, 3, 4), IDLE, GONE, SPLICED),
    Disputed(PCAPPP + "raw_ip.pcap", (0, 1), IDLE, GONE, SPLICED),
    Disputed(TCPDUMP + "of13_ericsson.pcapng", (0, 1, 2, *range(5, 20)), IDLE, GONE, PICKED),
    Disputed(NDPI + "anydesk.pcapng", (4,), "app-hung", "possible", NO_REQUEST),
    Disputed(CHRIS + "sessionhijacking.pcapng", (0,), LEAK, GONE, SECOND_HALF),
    Disputed(NFSTREAM + "1kxun.pcap", (2,), LEAK, GONE, SECOND_HALF),
    Disputed(NFSTREAM + "KakaoTalk_chat.pcap", (6,), LEAK, "likely", SECOND_HALF),
    Disputed(NDPI + "anyconnect-vpn.pcap", (19,), LEAK, GONE, SECOND_HALF),
    Disputed(NDPI + "fuzz-2006-09-29-28586.pcap", (0,), LEAK, GONE, SECOND_HALF),
    Disputed(NFSTREAM + "1kxun.pcap", (20,), LEAK, "possible", DOES_CLOSE_LATE),
    Disputed(NFSTREAM + "KakaoTalk_chat.pcap", (4, 5, 12), LEAK, "likely", SOON),
    Disputed(NFSTREAM + "starcraft_battle.pcap", (7,), LEAK, "likely", SOON),
    Disputed(NDPI + "anyconnect-vpn.pcap", (21,), LEAK, "likely", SOON),
    Disputed(SURICATA + "bug-5437-02/input.pcap", (2, 5), LEAK, GONE, OTHER_LEG),
    Disputed(CHRIS + "http_espn_fail.pcapng", (7,), LEAK, "likely", MET_A_RST),
    Disputed(SURICATA + "bug-7657-01/input.pcap", tuple(range(24)), UNANSWERED, GONE, ONE_ATTEMPT),
    Disputed(NDPI + "anyconnect-vpn.pcap", (4, 5), IDLE, GONE, ASKED),
)
# Who has not closed, where a finding about several connections may take the one for the other.
HOLDERS = {
    (CHRIS + "sessionhijacking.pcapng", 3): "172.16.16.164",
    (NDPI + "fuzz-2006-09-29-28586.pcap", 16): "172.20.3.13",
}
