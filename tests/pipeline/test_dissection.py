"""Heartbeats named by Wireshark's dissectors: inside TLS with its keys, and beside what bytes and rhythm tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import inside, keepalive
from conversation import CLIENT, SERVER, Conversation
from results import ROOT
from wirebytes import pcap_bytes

import analyzer
from analyzer.analysis import Analysis
from analyzer.capture.secrets import tls_secrets
from analyzer.errors import UsageError
from analyzer.model.flows import Heartbeat
from analyzer.pipeline.dissection import candidates, dissect

# Python's ssl module on a loopback: five PINGs, 2.3 s apart, and their replies; http2.pcapng carries its keys.
INSIDE_TLS = ROOT / "tests" / "recordings" / "inside_tls"
MQTT, KEYS, HTTP2 = (INSIDE_TLS / name for name in ("mqtt.pcapng", "mqtt.keys", "http2.pcapng"))
REDIS = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"


def only_heartbeat(analysis: Analysis) -> Heartbeat:
    [flow] = analysis.flows
    [heartbeat] = flow.heartbeats
    return heartbeat


def dissected(path: Path, keylog: Path | None = None) -> Heartbeat:
    analysis = analyzer.analyze(str(path))
    dissect(analysis, range(len(analysis)), None if keylog is None else str(keylog))
    return only_heartbeat(analysis)


@pytest.mark.parametrize(("path", "keylog", "protocol"), [(MQTT, KEYS, "mqtt"), (HTTP2, None, "http2")])
def test_with_its_keys_a_heartbeat_inside_tls_is_known(path: Path, keylog: Path | None, protocol: str) -> None:
    heartbeat = dissected(path, keylog)
    assert (heartbeat.protocol, heartbeat.guess, heartbeat.sender) == (protocol, "", "client")
    assert (heartbeat.sent, heartbeat.answered) == (5, 5)
    assert heartbeat.period_s == pytest.approx(2.3, rel=0.02)
    assert len(heartbeat.frames) == 5


def test_without_keys_sizes_are_a_guess() -> None:
    heartbeat = dissected(MQTT)
    assert (heartbeat.protocol, heartbeat.guess, heartbeat.sent, heartbeat.answered) == ("periodic", "mqtt", 5, 5)


@pytest.mark.parametrize("name", ["heartbeats-of-programs", "heartbeats-of-programs-over-loss"])
def test_programs_inside_tls_are_named_where_their_secrets_are(name: str) -> None:
    """What was lost and sent again does not keep the rest from being decrypted."""
    analysis = analyzer.analyze(str(ROOT / "captures" / name / "capture.pcapng"))
    sent = [[(beat.sender, beat.sent) for beat in flow.heartbeats] for flow in analysis.flows]
    dissect(analysis, range(len(analysis)), None)
    named = {flow.server.port: [beat.name for beat in flow.heartbeats] for flow in analysis.flows}
    assert (named[8767], named[8883], named[2022]) == (["websocket?"], ["mqtt"], ["ssh?"])
    assert sent == [[(beat.sender, beat.sent) for beat in flow.heartbeats] for flow in analysis.flows]


def test_keys_lie_in_a_pcapng() -> None:
    assert b"CLIENT_TRAFFIC_SECRET_0 " in tls_secrets(str(HTTP2))
    for without in (MQTT, KEYS, ROOT / "captures" / "dead-peer" / "capture.pcap", INSIDE_TLS, INSIDE_TLS / "none"):
        assert tls_secrets(str(without)) == b""


@pytest.mark.parametrize("octets", range(0, 700, 7))
def test_keys_before_damage_are_found(octets: int, tmp_path: Path) -> None:
    whole, cut = HTTP2.read_bytes(), tmp_path / "cut.pcapng"
    cut.write_bytes(whole[:octets] + b"\xff" * 8)
    assert tls_secrets(str(cut)) in tls_secrets(str(HTTP2))


def test_connections_without_anything_that_comes_again_are_not_dissected(tmp_path: Path) -> None:
    quiet = Conversation(ports=(40_000, 6379)).handshake().data(CLIENT, 100).data(SERVER, 300)
    beating = Conversation(ports=(40_001, 6379), start=0.5).handshake()
    for _ in range(4):
        beating.idle(3)
        for sender, payload in zip((CLIENT, SERVER), REDIS, strict=True):
            beating.send(sender, "PA", payload)
            beating.now = beating._later
        beating.acknowledge(CLIENT)
    path = tmp_path / "two.pcap"
    path.write_bytes(pcap_bytes(sorted(quiet.segments + beating.segments, key=lambda one: one.time)))
    analysis = analyzer.analyze(str(path))
    assert candidates(analysis.facts, [0, 1]).tolist() == [1]
    dissect(analysis, [0, 1], None)
    assert list(analysis.dissected) == [(1, 0)]
    assert (analysis.flow(1).heartbeats[0].protocol, analysis.flow(1).heartbeats[0].answered) == ("redis", 4)


def test_the_command_line() -> None:
    assert "client mqtt every 2.3 s" in inside("analyze", MQTT, "--dissect", "--keylog", KEYS)
    assert "client mqtt? every 2.3 s" in inside("analyze", MQTT)
    assert keepalive("analyze", MQTT, "--keylog", KEYS).returncode == 2
    assert keepalive("analyze", MQTT, "--dissect", "--keylog", INSIDE_TLS / "none").returncode == 2
    assert keepalive("analyze", MQTT, "--dissect", "--each").returncode == 2


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        (b"no key log\n", "no line of it is a TLS secret"),
        (b"CLIENT_RANDOM %s %s\n" % (b"ab" * 32, b"cd" * 48), "none of its secrets is of a TLS handshake"),
    ],
)
def test_a_key_log_of_something_else_is_told(secrets: bytes, said: str, tmp_path: Path) -> None:
    other = tmp_path / "other.keys"
    other.write_bytes(secrets)
    done = keepalive("analyze", MQTT, "--dissect", "--keylog", other)
    assert f"--keylog {other}: {said}" in done.stderr.decode()
    assert "client mqtt? every 2.3 s" in done.stdout.decode()
    assert b"--keylog" not in keepalive("analyze", MQTT, "--dissect", "--keylog", KEYS).stderr


def test_without_tshark_the_rhythm_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, purpose: str, **__: object) -> None:
        raise UsageError(f"{purpose} needs tshark, Wireshark's command: apt install tshark")

    monkeypatch.setattr("analyzer.crosscheck.heartbeats.each_packet", missing)
    assert "client mqtt? every 2.3 s" in inside("analyze", MQTT, "--dissect")
