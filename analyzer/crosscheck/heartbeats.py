"""Heartbeats as Wireshark's dissectors know them, those inside TLS too where its keys are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from analyzer.crosscheck.tshark import each_packet
from analyzer.tables.heartbeats import UNANSWERED


class Known(NamedTuple):
    """A protocol, the field of Wireshark's that tells its heartbeats, and what it is in these and in their replies."""

    protocol: str
    field: str
    pings: tuple[int | str, ...]
    pongs: tuple[int | str, ...] = ()
    of_request: str = ""  # another field, which is 1 or true in a request, 0 or false in a reply
    of_reply: str = ""  # the other way round


KNOWN = (
    Known("websocket", "websocket.opcode", (9,), (10,)),
    Known("http2", "http2.flags.ack.ping", (0,), (1,)),
    Known("mqtt", "mqtt.msgtype", (12,), (13,)),
    Known("amqp", "amqp.type", (8,)),
    Known("bgp", "bgp.type", (4,)),
    Known("ldp", "ldp.msg.type", (0x201,)),
    Known("fix", "fix.MsgType", ("0", "1")),
    Known("iec104", "iec60870_104.utype", (0x10,), (0x20,)),
    Known("smpp", "smpp.command_id", (0x15,), (0x8000_0015,)),
    Known("kafka", "kafka.api_key", (12,)),
    Known("kafka", "kafka.request_key", (), (12,)),
    Known("mysql", "mysql.command", (14,)),
    Known("redis", "resp.bulk_string.value", ("50:49:4e:47", "70:69:6e:67")),
    Known("redis", "resp.string", (), ("PONG",)),
    Known("cassandra", "cql.opcode", (5,), (6,)),
    Known("postgresql", "pgsql.query", ("SELECT 1",)),
    Known("irc", "irc.request.command", ("PING",), ("PONG",)),
    Known("irc", "irc.response.command", ("PING",), ("PONG",)),
    Known("netbios", "nbss.type", (0x85,)),
    Known("erlang", "erldp.len", (0,)),
    Known("dnp3", "dnp3.ctl.prifunc", (9,)),
    Known("dnp3", "dnp3.ctl.secfunc", (), (11,)),
    Known("rtmp", "rtmpt.ucm.eventtype", (6,), (7,)),
    Known("telnet", "telnet.cmd", (241, 246)),
    Known("bitcoin", "bitcoin.command", ("ping",), ("pong",)),
    Known("openwire", "openwire.command", (10,)),
    Known("ldap", "ldap.protocolOp", (16,)),
    Known("tls", "tls.heartbeat_message.type", (1,), (2,)),
    Known("smb", "smb2.cmd", (13,), (13,), of_reply="smb2.flags.response"),
    Known("diameter", "diameter.cmd.code", (280,), (280,), of_request="diameter.flags.request"),
)
# Protocols of which replies are known, or that draw none.
HAVE_REPLIES = {known.protocol for known in KNOWN if known.pongs} | UNANSWERED | {"openwire"}
BOOLEANS = {"true": 1, "false": 0}


class Dissected(NamedTuple):
    """A frame of a file that is a heartbeat, or a reply to one."""

    number: int
    protocol: str
    is_reply: bool


def dissected(path: str, keylog: str | None, notify: Callable[[str], None]) -> list[Dissected]:
    """All of a capture file, in order; `keylog` is a file of TLS secrets in the format of NSS.

    Raises UsageError where tshark or pyshark is missing.
    """
    found: list[Dissected] = []

    def take(packet: Any) -> None:
        number = int(packet.number)
        for known in KNOWN:
            for is_reply in sorted(_told(packet, known)):
                found.append(Dissected(number, known.protocol, is_reply))

    # TLS is decrypted up to the first segment that is not in order, unless these are put in order.
    preferences = ["tcp.reassemble_out_of_order:TRUE", *([f"tls.keylog_file:{keylog}"] if keylog else [])]
    each_packet(path, _display_filter(), take, notify, purpose="--dissect", preferences=preferences)
    return found


def _display_filter() -> str:
    """What selects frames with any of them."""
    parts = []
    for known in KNOWN:
        for value in dict.fromkeys((*known.pings, *known.pongs)):
            is_text = isinstance(value, str) and known.field != "resp.bulk_string.value"
            parts.append(f'{known.field} == "{value}"' if is_text else f"{known.field} == {value}")
    return " || ".join(parts)


def _told(packet: Any, known: Known) -> set[bool]:
    """Whether a packet has a heartbeat of this protocol (False) and a reply to one (True)."""
    layer_name, _, _ = known.field.partition(".")
    told = set()
    for layer in packet.layers:
        if layer.layer_name != layer_name:
            continue
        flag = _first(layer, known.of_request or known.of_reply)
        for value in _values(layer, known.field):
            if flag is not None:
                if value in known.pings:
                    told.add((flag == 1) == bool(known.of_reply))
            elif value in known.pings or value in known.pongs:
                told.add(value in known.pongs)
    return told


def _first(layer: Any, field: str) -> int | str | None:
    return next(iter(_values(layer, field)), None) if field else None


def _values(layer: Any, field: str) -> Sequence[int | str]:
    """What a field of a layer is, as often as it occurs: numbers as such, other text as it stands."""
    container = layer.get_field(field.partition(".")[2].replace(".", "_"))
    if container is None:
        return ()
    return [_value(one.get_default_value() or "", field) for one in container.all_fields]


def _value(text: str, field: str) -> int | str:
    if field == "fix.MsgType":
        return text
    if text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    try:
        return int(text, 0)
    except ValueError:
        return text
