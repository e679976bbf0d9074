"""`keepalive live` at work: what is put into it, and what it tells."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from commands import KEEPALIVE, Variables, environment
from conversation import CLIENT, SERVER, Conversation
from live_network import Hosts, two_hosts
from wirebytes import pcap_bytes

from analyzer.live.sources import OfOthers

LONGEST_S = 60  # what is awaited and does not come would be awaited for ever
HEADER = 24  # bytes of a pcap file's header
Json = dict[str, Any]
IDLE_AFTER = 10 * 10**9
MANY = 10**6


class File(OfOthers):
    """A capture that is read as a stream would be."""

    def __init__(self, path: Path) -> None:
        self.output: Any = path.open("rb", buffering=0)

    def stop(self) -> None:
        """It ends by itself."""

    def close(self) -> None:
        self.output.close()


def lines(octets: bytes) -> list[Json]:
    return [json.loads(line) for line in octets.splitlines()]


def split(octets: bytes) -> tuple[list[Json], list[Json]]:
    """The events, and the lines of the result."""
    told = lines(octets)
    [at] = [place for place, line in enumerate(told) if line["type"] == "result"]
    return told[:at], told[at + 1 :]


@contextmanager
def running(
    *arguments: str,
    prefix: tuple[str, ...] = (),
    stdin: IO[bytes] | None = None,
    variables: Variables | None = None,
    patch: str = "",
) -> Iterator[subprocess.Popen[bytes]]:
    """`live`, at whose start this statement is executed."""
    program = f"import analyzer.cli, analyzer.live.session; {patch}; analyzer.cli.main()"
    command = [*prefix, *([sys.executable, "-c", program] if patch else KEEPALIVE), "live", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=stdin or pipe, stdout=pipe, stderr=pipe, env=environment(variables), bufsize=0
    )
    watchdog = threading.Timer(LONGEST_S, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def capturing(*arguments: str) -> Iterator[tuple[Hosts, subprocess.Popen[bytes]]]:
    """Two hosts, and `live` at work on the interface of the client's."""
    with two_hosts() as hosts, capturing_on(hosts, *arguments) as process:
        yield hosts, process


@contextmanager
def capturing_on(hosts: Hosts, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`live` at work on the interface of the client's host."""
    prefix = ("ip", "netns", "exec", hosts.client)
    with running("-i", hosts.interface, "--format", "ndjson", *arguments, prefix=prefix) as process:
        assert said(process) == b"keepalive: near: capturing\n"
        yield process


def below(process: int, name: str) -> int:
    """The one descendant of a process that is called so."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    for child in map(int, children):
        found = child if Path(f"/proc/{child}/comm").read_text().strip() == name else below(child, name)
        if found:
            return found
    return 0


def said(process: subprocess.Popen[bytes]) -> bytes:
    """The next line on standard error."""
    assert process.stderr is not None
    return process.stderr.readline()


def ended(process: subprocess.Popen[bytes], number: signal.Signals) -> list[Json]:
    """What is still told when a signal ends it well."""
    process.send_signal(number)
    assert process.stdout is not None
    told = lines(process.stdout.read())
    assert process.wait() == 0
    return told


def into(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


def event(process: subprocess.Popen[bytes], kind: str, heard: list[Json] | None = None) -> Json:
    """The next event of this kind: those before it are passed over, or put with it where all are wanted."""
    assert process.stdout is not None
    for line in process.stdout:
        told: Json = json.loads(line)
        if heard is not None:
            heard.append(told)
        if told["type"] == kind:
            return told
    raise AssertionError(f"no {kind}")


def idle_since(seconds_ago: float) -> bytes:
    """A connection whose client has sent a probe so long ago by this machine's clock, and had no answer yet."""
    talk = Conversation(rtt=0.01).handshake().data(CLIENT, 100).data(SERVER, 300).idle(0.1)
    talk.acknowledge(CLIENT)
    talk.idle(15.1).probe(CLIENT, answered=False)
    shift = time.time_ns() - round(seconds_ago * 1e9) - max(segment.time for segment in talk.segments)
    return pcap_bytes([replace(segment, time=segment.time + shift) for segment in talk.segments])
