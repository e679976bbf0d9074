"""`live` and `analyze --sockets`: what the kernel knows of keepalive is not guessed, and findings name processes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import KEEPALIVE, keepalive
from idle_sockets import PORT, far_end, idle
from live_network import Hosts, two_hosts
from living import Json, capturing_on, ended, event
from schema import validator

NOBODY = 65534
ARMED, PROBING = (60, 5, 3), (1, 1, 60)
# The client's host lets nothing of the server in; tcpdump sees it before that.
DROP = f"""
table ip dropping {{
    chain input {{
        type filter hook input priority 0;
        tcp sport {PORT} drop
    }}
}}
"""


def until(process: subprocess.Popen[bytes], rule: str, heard: list[Json]) -> Json:
    """The next finding by this rule; all that is told before is put with what was heard."""
    while True:
        finding: Json = event(process, "finding", heard)["finding"]
        if finding["rule"] == rule:
            return finding


def by_port(told: list[Json]) -> dict[int, Json]:
    """The connections of a result, by the client's port."""
    return {line["client"]["port"]: line for line in told if line["type"] == "flow"}


def test_a_connection_without_keepalive_is_told_with_its_process_and_one_with_it_never() -> None:
    with (
        two_hosts() as hosts,
        far_end(hosts),
        idle(hosts, ARMED, None, (2, 1, 30)) as near,
        capturing_on(hosts, "--idle-after", "1") as process,
    ):
        near.speak()
        heard: list[Json] = []
        finding = until(process, "unprotected-idle", heard)
        time.sleep(3)
        told = ended(process, signal.SIGINT)
    flows = by_port(told)
    armed, bare, probing = (flows[port] for port in near.ports)
    assert (finding["stream"], finding["confidence"], finding["severity"]) == (bare["stream"], "certain", "low")
    assert finding["process"] == near.holder(1)
    assert f"keepalive is off on the client, {near.holder(1)}" in finding["summary"]
    assert [line["verdict"] for line in (armed, bare, probing)] == ["healthy", "unprotected", "healthy"]
    assert [line["stream"] for line in heard + told if line["type"] == "unprotected"] == [bare["stream"]]
    [socket] = armed["sockets"]
    assert (socket["side"], socket["keepalive"], socket["timer"]) == ("client", True, "keepalive")
    assert (socket["pid"], socket["fd"], socket["user"]) == (near.pid, near.fds[0], "root")
    assert 30 < socket["timer_left_s"] <= 60.5
    assert [line["sockets"][0]["keepalive"] for line in (bare, probing)] == [False, True]
    for line in heard:
        validator("#/$defs/event").validate(line)


def test_owners_are_those_that_the_user_may_see_whom_it_goes_on_as() -> None:
    """Of sockets made since the rights went: those of nobody's processes, and not root's; timers of both."""
    with (
        two_hosts() as hosts,
        far_end(hosts),
        capturing_on(hosts, "--idle-after", "1", "--on-finding", "cat") as process,
        idle(hosts, None) as roots,
        idle(hosts, None, user=NOBODY) as nobodys,
    ):
        for near in (roots, nobodys):
            near.speak()
        until(process, "unprotected-idle", [])
        told = ended(process, signal.SIGINT)
        assert process.stderr is not None
        alerts = [json.loads(line) for line in process.stderr.read().splitlines()]
    flows = by_port(told)
    [of_root], [of_nobody] = (flows[near.ports[0]]["sockets"] for near in (roots, nobodys))
    assert (of_root["keepalive"], of_root["pid"]) == (False, None)
    assert (of_nobody["keepalive"], of_nobody["pid"], of_nobody["user"]) == (False, nobodys.pid, "nobody")
    [alert] = [one for one in alerts if one["rule"] == "unprotected-idle"]
    assert (alert["process"], alert["confidence"]) == (nobodys.holder(0), "certain")


def test_without_sockets_keepalive_is_guessed() -> None:
    with (
        two_hosts() as hosts,
        far_end(hosts),
        idle(hosts, ARMED, None) as near,
        capturing_on(hosts, "--idle-after", "1", "--no-sockets", "--duration", "8") as process,
    ):
        near.speak()
        heard: list[Json] = []
        event(process, "result", heard)
        assert process.stdout is not None
        told = [json.loads(line) for line in process.stdout]
    assert "unprotected" not in [line["type"] for line in heard]
    assert [(line["verdict"], line["sockets"]) for line in by_port(told).values()] == [("unprotected", [])] * 2
    assert {line["confidence"] for line in told if line["type"] == "finding"} == {"possible"}


def test_replies_that_the_host_drops_are_found_where_kernel_and_wire_disagree() -> None:
    with (
        two_hosts() as hosts,
        far_end(hosts),
        idle(hosts, PROBING, PROBING) as near,
        capturing_on(hosts) as process,
    ):
        near.speak()
        event(process, "answered")
        subprocess.run(
            ["ip", "netns", "exec", hosts.client, "nft", "-f", "-"], input=DROP.encode(), check=True, timeout=10
        )
        finding = until(process, "answer-dropped-on-host", [])
        subprocess.run(
            ["ip", "netns", "exec", hosts.client, "nft", "delete", "table", "ip", "dropping"], check=True, timeout=10
        )
        over = event(process, "withdrawn")
        while over["rule"] != "answer-dropped-on-host":
            over = event(process, "withdrawn")
        told = ended(process, signal.SIGINT)
    assert (finding["severity"], finding["confidence"]) == ("high", "likely")
    assert len(finding["streams"]) == 2
    assert f"python (pid {near.pid}, fd {near.fds[0]}, {near.fds[1]})" in finding["summary"]
    assert finding["evidence"]["frames"]
    assert {line["verdict"] for line in by_port(told).values()} == {"healthy"}


@contextmanager
def recorded(hosts: Hosts, path: Path) -> Iterator[None]:
    """What passes the client's interface, in a file that is whole after the block."""
    command = ["ip", "netns", "exec", hosts.client, "tcpdump", "-Z", "root", "-U", "-i", hosts.interface, "-w"]
    process = subprocess.Popen([*command, str(path), "tcp"], stderr=subprocess.PIPE, bufsize=0)
    assert process.stderr is not None
    try:
        while b"listening on" not in process.stderr.readline():
            assert process.poll() is None
        yield
        time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
        process.stderr.close()


def printed(hosts: Hosts, path: Path, *command: str) -> Path:
    """What this command prints on the client's host."""
    done = subprocess.run(["ip", "netns", "exec", hosts.client, *command], capture_output=True, check=True, timeout=30)
    path.write_bytes(done.stdout)
    return path


def analysed(capture: Path, sockets: Path) -> Json:
    run = keepalive("analyze", str(capture), "--sockets", str(sockets), "--idle-after", "1", "--format", "json")
    assert (run.returncode, run.stderr) == (0, b"")
    result: Json = json.loads(run.stdout)
    validator().validate(result)
    return result


def test_a_capture_and_the_sockets_of_its_host_say_the_same_from_ss_and_from_json(tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    with (
        two_hosts() as hosts,
        far_end(hosts),
        idle(hosts, ARMED, None, (1, 1, 9)) as near,
        recorded(hosts, capture),
    ):
        near.speak()
        time.sleep(3.5)
        text = printed(hosts, tmp_path / "ss.txt", "ss", "-tnopieH")
        form = (*KEEPALIVE, "sockets", "--options", "--format")
        files = [printed(hosts, tmp_path / kind, *form, kind) for kind in ("json", "ndjson")]
    for path in (text, *files):
        result = analysed(capture, path)
        flows = {flow["client"]["port"]: flow for flow in result["flows"]}
        armed, bare, probing = (flows[port] for port in near.ports)
        assert [flow["verdict"] for flow in (armed, bare, probing)] == ["healthy", "unprotected", "healthy"]
        assert [flow["sockets"][0]["keepalive"] for flow in (armed, bare, probing)] == [True, False, True]
        assert [flow["sockets"][0]["fd"] for flow in (armed, bare, probing)] == near.fds
        [finding] = [one for one in result["findings"] if one["rule"] == "unprotected-idle"]
        assert (finding["stream"], finding["confidence"]) == (bare["stream"], "certain")
        assert finding["process"] == near.holder(1)
        if path is not text:
            names = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")
            assert [armed["sockets"][0][name] for name in names] == [*ARMED]
    words = keepalive("analyze", str(capture), "--sockets", str(text), "--idle-after", "1", "-v").stdout.decode()
    assert f"Process: {near.holder(1)}" in words
    assert f"client: {near.holder(0)}: ESTABLISHED, keepalive on, next probe in" in words


def test_what_is_no_list_of_sockets_is_named(tmp_path: Path) -> None:
    capture, path = tmp_path / "capture.pcap", tmp_path / "sockets"
    for text, says in (("{}", "no list of sockets"), ("nothing", "no socket in it"), ('{"sockets": [{}]}', "no list")):
        path.write_text(text)
        run = keepalive("analyze", str(capture), "--sockets", str(path))
        assert run.returncode == 3
        assert f"{path}: {says}" in run.stderr.decode()
    assert keepalive("analyze", str(capture), "--sockets", str(path), "--each").returncode == 2
