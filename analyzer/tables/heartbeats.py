"""What heartbeats of applications look like: a row for each payload of one segment that a protocol sends as such.

Below are rows for what a protocol says of heartbeats: how often they come, and that it closes for want of them.
WebSocket's (RFC 6455 5.5.2) have no fixed length and are not here, nor are PINGs of HTTP/2 in one segment with other
frames: see `kernels/decode/payloads.py`.
"""

from __future__ import annotations

from typing import NamedTuple

WEBSOCKET_PING = 0x89
WEBSOCKET_PONG = 0x8A
WEBSOCKET_CLOSE = 0x88
WEBSOCKET_LONGEST = 6 + 125
# RFC 9113 4.1, 6.5, 6.7, 6.9: a frame's header, and the types of frames that are about the connection or its windows.
HTTP2_HEADER = 9
HTTP2_SETTINGS, HTTP2_PING, HTTP2_WINDOW_UPDATE = 4, 6, 8
LONGEST = 1024  # payload that is looked at: MQTT's CONNECT with a token for a password, RTSP with headers
# A word for each payload: the protocol's number in the lower bits (0: none), and what is known besides.
HEARTBEAT_PROTOCOL = 0x3F
HEARTBEAT_REPLY = 0x40  # it answers one, or is a last word: nobody replies to it
HEARTBEAT_ALONE = 0x100  # each end sends its own, unasked, and nobody replies
NO_HEARTBEAT = 0x200  # bytes of something else, at whatever pace
HEARTBEAT_KIND = 10  # shift: 1 + index of KINDS, for bytes that say little: a rhythm must show that they are heartbeats
KIND_MASK = 0x7
SAYS = 16  # shift: 1 + index of SAID
SAYS_MASK = 0xFF
SAYS_VALUE = 24  # shift: the number in it

PING, PONG, BYE = 0, HEARTBEAT_REPLY, HEARTBEAT_REPLY
ALONE = HEARTBEAT_ALONE
NEVER = NO_HEARTBEAT


class Row(NamedTuple):
    """One payload: hexadecimal digits, `..` for any byte, text in quotes, `*` where any number of bytes may stand."""

    protocol: str
    meaning: int
    payload: str


ROWS = (
    # With PINGs of these bytes gRPC measures bandwidth (grpc-go bdp_estimator.go, grpc-java AbstractNettyHandler).
    Row("http2", BYE, "000008 06 00 00000000 02041010090e0707"),
    Row("http2", BYE, "000008 06 00 00000000 00000000000004d2"),
    Row("http2", PING, "000008 06 00 00000000 ................"),  # RFC 9113 6.7
    Row("http2", PONG, "000008 06 01 00000000 ................"),
    Row("http2", BYE, "000008 07 00 00000000 ................"),  # GOAWAY
    Row("redis", PING, "'*1' 0d0a '$4' 0d0a 'PING' 0d0a"),  # redis.io: PING, RESP
    Row("redis", PING, "'*1' 0d0a '$4' 0d0a 'ping' 0d0a"),
    Row("redis", PONG, "'+PONG' 0d0a"),
    Row("mqtt", PING, "c000"),  # MQTT 3.1.1 3.12
    Row("mqtt", PONG, "d000"),
    Row("amqp", ALONE, "08 0000 00000000 ce"),  # AMQP 0-9-1 4.2.7
    Row("amqp", ALONE, "00000008 02 .. ...."),  # AMQP 1.0 2.4.5: an empty frame
    Row("rabbitmq-stream", ALONE, "00000004 0017 0001"),  # rabbitmq-server PROTOCOL.adoc: Heartbeat
    Row("bgp", ALONE, "ffffffffffffffffffffffffffffffff 0013 04"),  # RFC 4271 4.4
    Row("ldp", ALONE, "0001 .... ............ 0201 *"),  # RFC 5036 3.5.5
    Row("nats", PING, "'PING' 0d0a"),  # docs.nats.io: PING/PONG; Redis takes it inline, too
    Row("nats", PONG, "'PONG' 0d0a"),
    Row("irc", PING, "'PING :' *"),  # RFC 2812 3.7.2
    Row("irc", PONG, "'PONG ' *"),
    Row("mysql", PING, "01000000 0e"),  # COM_PING
    Row("mysql", BYE, "01000000 01"),  # COM_QUIT
    Row("postgresql", PING, "'Q' 0000000d 'SELECT 1' 00"),  # what pools ask
    Row("postgresql", PING, "'Q' 0000000d 'select 1' 00"),  # pgbouncer.org config: server_check_query
    Row("postgresql", PING, "'Q' 00000005 00"),  # an empty query
    Row("postgresql", ALONE, "'d' 00000026 'r' *"),  # 55.4 Streaming Replication Protocol: standby status update
    Row("postgresql", PING, "'d' 00000016 'k'" + ".." * 16 + "01"),  # primary keepalive message: reply at once
    Row("postgresql", ALONE, "'d' 00000016 'k' *"),
    Row("postgresql", BYE, "'X' 00000004"),  # Terminate
    Row("cassandra", PING, "03 .. .... 05 00000000"),  # CQL native protocol 3, 4: OPTIONS
    Row("cassandra", PING, "04 .. .... 05 00000000"),
    Row("zookeeper", PING, "00000008 fffffffe 0000000b"),
    Row("smpp", PING, "00000010 00000015 00000000 ........"),  # SMPP 3.4 4.11: enquire_link
    Row("smpp", PONG, "00000010 80000015 00000000 ........"),
    Row("iec104", PING, "68 04 43 000000"),  # IEC 60870-5-104 5.1: TESTFR act
    Row("iec104", PONG, "68 04 83 000000"),
    Row("dnp3", PING, "0564 05 c9 ........ ...."),  # IEEE 1815: REQUEST_LINK_STATUS, of the master
    Row("dnp3", PING, "0564 05 49 ........ ...."),  # of the outstation
    Row("dnp3", PONG, "0564 05 0b ........ ...."),
    Row("dnp3", PONG, "0564 05 8b ........ ...."),
    Row("diameter", PING, "0100 .... 80 000118 *"),  # RFC 6733 5.5: Device-Watchdog
    Row("diameter", PONG, "0100 .... 00 000118 *"),
    Row("fix", ALONE, "'8=FIX' * 01 '35=0' 01 *"),  # FIX session protocol: Heartbeat, TestRequest
    Row("fix", PING, "'8=FIX' * 01 '35=1' 01 *"),
    Row("xmpp", PING, "'<iq' * 'urn:xmpp:ping' *"),  # XEP-0199
    Row("xmpp", PING, "'<r xmlns=' .. 'urn:xmpp:sm:3' *"),  # XEP-0198: a request for an acknowledgement, and one
    Row("xmpp", PONG, "'<a xmlns=' .. 'urn:xmpp:sm:3' *"),
    Row("ldap", ALONE, "30 06 0201 .. 500100"),  # RFC 4511 4.11: Abandon of message 0, which there is not
    Row("ldap", ALONE, "30 07 0202 .... 500100"),
    Row("netbios", ALONE, "85000000"),  # RFC 1002 4.3.7: SESSION KEEP ALIVE
    # MS-SMB2 2.2.28: ECHO behind the length that NetBIOS or direct TCP puts first; bit 0 of the flags is of a reply.
    Row("smb", PING, "00000044 fe'SMB' 4000 .... ........ 0d00 .... 00 *"),
    Row("smb", PING, "00000044 fe'SMB' 4000 .... ........ 0d00 .... 08 *"),  # signed
    Row("smb", PONG, "00000044 fe'SMB' 4000 .... ........ 0d00 .... 01 *"),
    Row("smb", PONG, "00000044 fe'SMB' 4000 .... ........ 0d00 .... 09 *"),
    # RFC 7143 11.18, 11.19: NOP-Out and NOP-In without data; a task tag, or a transfer tag, of all ones is of a reply.
    Row("iscsi", PONG, "40 80 0000 00000000 ................ ffffffff" + ".." * 28),
    Row("iscsi", PING, "40 80 0000 00000000" + ".." * 40),
    Row("iscsi", PING, "00 80 0000 00000000" + ".." * 40),
    Row("iscsi", PONG, "20 80 0000 00000000 ................ ........ ffffffff" + ".." * 24),
    Row("iscsi", PING, "20 80 0000 00000000" + ".." * 40),
    Row("rtmp", PING, "02 ...... 000006 04 00000000 0006 ........"),  # RTMP 1.0 7.1.7: PingRequest, PingResponse
    Row("rtmp", PONG, "02 ...... 000006 04 00000000 0007 ........"),
    Row("rtsp", PING, "'GET_PARAMETER ' *"),  # RFC 2326 10.8
    Row("rtsp", PING, "'OPTIONS rtsp' *"),
    Row("oracle", PING, "000a 0000 06 00 0000 0000"),  # SQLNET.EXPIRE_TIME up to 11g: an empty TNS data packet
    Row("telnet", ALONE, "fff1"),  # RFC 854: NOP
    Row("telnet", PING, "fff6"),  # Are You There
    Row("tls", PING, "18 03 .. 00 *"),  # RFC 6520: heartbeat, plain or encrypted
    Row("bitcoin", PING, "f9beb4d9 'ping' 0000000000000000 08000000 *"),  # BIP 31
    Row("bitcoin", PONG, "f9beb4d9 'pong' 0000000000000000 08000000 *"),
    Row("socket.io", PING, "81 01 '2'"),  # engine.io-protocol 4: a text frame from the server, masked from the client
    Row("socket.io", PONG, "81 81 ........ .."),
    Row("signalr", ALONE, "81 0b '{\"type\":6}' 1e"),  # SignalR HubProtocol: Ping
    # RFC 9112 3, 4; docs.nats.io, PUB: requests and messages, as even as a timer of the program sends them.
    *(Row("http", NEVER, f"'{word}' *") for word in ("GET ", "HEAD ", "POST ", "PUT ", "HTTP/1.")),
    Row("nats", NEVER, "'PUB ' *"),
    Row("sse", ALONE, "'3' 0d0a ':' 0a0a 0d0a"),  # HTML 9.2.7: a comment, in a chunk of HTTP
)


class Saying(NamedTuple):
    """A payload that says something about heartbeats: written as a Row's, `kk` where the number in it is.

    `words` are what it is, for readers; `per_second` is the number's unit.
    """

    what: str
    protocol: str
    words: str
    payload: str
    per_second: int = 1


INTERVAL, TOO_OFTEN, MISSED, IDLE, CLOSING = "interval", "too_often", "missed", "idle", "closing"
_MARKER = "ffffffffffffffffffffffffffffffff"
_GOAWAY = "07 00 00000000 ........"
MQTT_5_CONNECT = "CONNECT (5.0)"  # the broker may answer it with another interval
SAID = (
    # MQTT 3.1.1 3.1, 5.0 3.1, 3.1 3.1; the remaining length has one byte or two.
    Saying(INTERVAL, "mqtt", "CONNECT", "10 .. 0004 'MQTT' 04 .. kkkk *"),
    Saying(INTERVAL, "mqtt", "CONNECT", "10 .. .. 0004 'MQTT' 04 .. kkkk *"),
    Saying(INTERVAL, "mqtt", MQTT_5_CONNECT, "10 .. 0004 'MQTT' 05 .. kkkk *"),
    Saying(INTERVAL, "mqtt", MQTT_5_CONNECT, "10 .. .. 0004 'MQTT' 05 .. kkkk *"),
    Saying(INTERVAL, "mqtt", "CONNECT", "10 .. 0006 'MQIsdp' .. .. kkkk *"),
    Saying(INTERVAL, "mqtt", "CONNECT", "10 .. .. 0006 'MQIsdp' .. .. kkkk *"),
    # AMQP 0-9-1 1.4.2.6.
    Saying(INTERVAL, "amqp", "Connection.TuneOk", "01 0000 0000000c 000a 001f .... ........ kkkk ce *"),
    Saying(INTERVAL, "rabbitmq-stream", "Tune", "0000000c 0014 0001 ........ kkkkkkkk *"),  # PROTOCOL.adoc: Tune
    Saying(INTERVAL, "bgp", "OPEN", _MARKER + ".... 01 04 .... kkkk *"),  # RFC 4271 4.2
    # RFC 5036 3.5.3.
    Saying(INTERVAL, "ldp", "Initialization", "0001 .... ............ 0200 .... ........ 0500 .... 0001 kkkk *"),
    # MQTT 5.0 3.2.2.3.14, where it stands first or behind one of the properties that brokers send before it.
    *(
        Saying(INTERVAL, "mqtt", "CONNACK, server keep alive", f"20 .. .. 00 .. {before} 13 kkkk *")
        for before in ("", "11 ........", "21 ....", "11 ........ 21 ....")
    ),
    # ZooKeeper's ConnectResponse: the time-out of the session, in milliseconds.
    Saying(INTERVAL, "zookeeper", "ConnectResponse", "000000 .. 00000000 kkkkkkkk ................ 00000010 *", 1000),
    # RFC 9113 6.8: GOAWAY with ENHANCE_YOUR_CALM (11), and the words that gRPC's servers give with it (its A8).
    Saying(TOO_OFTEN, "http2", "GOAWAY too_many_pings", f"000016 {_GOAWAY} 0000000b 'too_many_pings'"),
    Saying(
        TOO_OFTEN,
        "http2",
        "GOAWAY too_many_pings",
        f"000008 06 01 00000000 ................ 000016 {_GOAWAY} 0000000b 'too_many_pings'",
    ),
    # python-websockets: close code 1011 (RFC 6455 7.4.1), from a server.
    Saying(MISSED, "websocket", "close code 1011, keepalive ping timeout", "88 .. 03f3 'keepalive ping timeout'"),
    Saying(MISSED, "mqtt", "DISCONNECT 0x8D, keep alive timeout", "e001 8d"),  # MQTT 5.0 3.14.2.1
    Saying(MISSED, "mqtt", "DISCONNECT 0x8D, keep alive timeout", "e002 8d 00"),
    Saying(MISSED, "bgp", "NOTIFICATION, hold timer expired", _MARKER + ".... 03 04 *"),  # RFC 4271 6.5
    Saying(MISSED, "nats", "-ERR 'Stale Connection'", "'-ERR ' 27 'Stale Connection' 27 *"),  # docs.nats.io: +OK/-ERR
    Saying(MISSED, "irc", "ERROR, ping timeout", "'ERROR :' * 'Ping timeout' *"),
    # Farewells that give another reason, or none: RFC 6455 5.5.1, AMQP 0-9-1 1.4.2.9, MQTT 3.14, RFC 4271 4.5.
    Saying(CLOSING, "websocket", "Close", "88 .. *"),
    Saying(CLOSING, "amqp", "Connection.Close", "01 0000 ........ 000a 0032 *"),
    *(Saying(CLOSING, "mqtt", "DISCONNECT", payload) for payload in ("e000", "e001 ..", "e002 .. 00")),
    *(Saying(CLOSING, "mqtt", "CONNACK, refused", f"2002 00 0{code}") for code in range(1, 6)),  # MQTT 3.1.1 3.2.2.3
    Saying(CLOSING, "bgp", "NOTIFICATION", _MARKER + ".... 03 *"),
    Saying(IDLE, "mysql", "error 4031", "91 0000 00 ff bf0f *"),  # ER_CLIENT_INTERACTION_TIMEOUT, MySQL 8.0.24
    # PostgreSQL's Appendix A: idle_session_timeout, idle_in_transaction_session_timeout.
    Saying(IDLE, "postgresql", "SQLSTATE 57P05, idle_session_timeout", "'E' 0000 .... 'S' * 'C57P05' 00 *"),
    Saying(
        IDLE, "postgresql", "SQLSTATE 25P03, idle_in_transaction_session_timeout", "'E' 0000 .... 'S' * 'C25P03' 00 *"
    ),
    Saying(IDLE, "http2", "GOAWAY max_idle", f"000010 {_GOAWAY} 00000000 'max_idle'"),  # grpc-go, http2_server.go
    Saying(IDLE, "imap", "BYE", "'* BYE Disconnected for inactivity' *"),  # Dovecot
    Saying(IDLE, "imap", "BYE", "'* BYE Autologout' *"),  # RFC 9051 5.4
    Saying(IDLE, "smtp", "reply 421 4.4.2", "'421 4.4.2 ' *"),  # RFC 3463 4.5: connection dropped, after a time-out
)


# Who says so, where it is one end alone.
SAID_BY = {
    "mqtt": {"CONNECT": 0, MQTT_5_CONNECT: 0, "CONNACK, server keep alive": 1, "CONNACK, refused": 1},
    "amqp": {"Connection.TuneOk": 0},
}
SERVERS_SAY = ("zookeeper", "nats", "irc", "mysql", "postgresql", "imap", "smtp")


def said(what: str) -> tuple[int, ...]:
    """What EVENT_WHY is where one of these was said."""
    return tuple(1 + number for number, saying in enumerate(SAID) if saying.what == what)


# What other payload may be as well: a rhythm must show it.
KINDS = {
    "stomp": "0a",  # STOMP 1.2 heart-beating
    "xmpp": "20",  # RFC 6120 4.6.1
    "sip": "0d0a0d0a",  # RFC 5626 3.5.1
    "erlang": "00000000",  # the distribution protocol's tick
    "kafka": "000000 .. 000c 00 .. *",  # KIP-62: Heartbeat, API key 12
    "noop": "'NOOP' 0d0a",  # RFC 959 4.1.3, RFC 5321 4.1.1.9, RFC 1939 5; others ask so before each use
    "tls": "17 03 .. 00 .. *",  # RFC 8446 5.2: a record of application data, which hides what protocol it is of
}
KIND_NAMES = tuple(KINDS)
KIND_TLS = 1 + KIND_NAMES.index("tls")
# Those that each end sends of its own accord: what the other sends is no reply.
UNANSWERED = frozenset(
    {row.protocol for row in ROWS if row.meaning == ALONE} - {row.protocol for row in ROWS if row.meaning == PING}
    | {"stomp", "erlang", "bittorrent"}
)
BITTORRENT, BITTORRENT_PORTS = "bittorrent", (*range(6881, 6890), 51413)  # BEP 3: keep-alive, as Erlang's

# Heartbeats inside TLS, as bytes of the plain ones and of their replies, on these ports or, without, on any.
INSIDE_TLS = (
    ("http2", 17, 17, ()),
    *(("websocket", *sizes, ()) for sizes in ((2, 6), (6, 2), (6, 10), (10, 6))),  # empty, or with four bytes
    ("socket.io", 3, 7, ()),
    ("mqtt", 2, 2, (8883,)),
    ("amqp", 8, 0, (5671,)),
    ("nats", 6, 6, (4222,)),
    ("redis", 14, 7, (6379, 6380)),
    ("mysql", 5, 11, (3306,)),
    ("stomp", 1, 0, (61614,)),
    ("sip", 4, 2, (5061,)),
)
# What a record adds: RFC 8446 5.2 (a header of 5, the type, a tag of 16), RFC 5288 (a nonce of 8 instead of the type),
# RFC 7905 (neither).
TLS_ADDS = (22, 29, 21)
TLS_LONGEST_PING = max(TLS_ADDS) + max(sent for _, sent, *_ in INSIDE_TLS)  # no reply of HTTP is so short
SSH_PORTS = (22, 222, 2022, 2222, 22022, 22222)  # the first is IANA's, and people vary it so
# OpenSSH's clientloop.c and serverloop.c: a request that the peer does not know, and what it says to that.
SSH_REQUESTS = ((1 + 4 + 21 + 1, 1), (1 + 4 + 4 + 21 + 1, 1 + 4))
# RFC 4253 6, 6.4: the block that packets are padded to, whether the length is padded with them, the bytes of the MAC.
SSH_CIPHERS = (
    (8, False, 16),  # chacha20-poly1305
    (16, False, 16),  # AES-GCM; AES-CTR with umac-128-etm
    *((16, False, mac) for mac in (8, 20, 32, 64)),  # AES-CTR with other MACs over what is encrypted
    *((16, True, mac) for mac in (8, 16, 20, 32, 64)),
)


def _ssh_size(payload: int, block: int, padded: bool, mac: int) -> int:
    """A packet on the wire: four bytes or more of padding."""
    length = (4 if padded else 0) + 1 + payload + 4
    return -(-length // block) * block + (0 if padded else 4) + mac


SSH_SIZES = frozenset(
    (_ssh_size(asked, *cipher), _ssh_size(said, *cipher)) for asked, said in SSH_REQUESTS for cipher in SSH_CIPHERS
)
# Of two that are alike the one whose records are more usual.
TLS_SIZES = {
    (sent + more, reply + more if reply else 0, port): protocol
    for more in reversed(TLS_ADDS)
    for protocol, sent, reply, ports in INSIDE_TLS
    for port in ports or (0,)
}
HEARTBEAT_PROTOCOLS = tuple(dict.fromkeys(("websocket", *(row.protocol for row in ROWS if row.meaning != NEVER))))
# Of these protocols a program may ask as well before each use: then no two are as far apart.
BEFORE_USE = tuple(1 + HEARTBEAT_PROTOCOLS.index(name) for name in ("mysql", "postgresql"))
# Kinds that each end sends of its own accord.
KINDS_ALONE = tuple(1 + number for number, name in enumerate(KINDS) if name in UNANSWERED)
