"""What a program is written in, and which unit, container or pod it runs in, by what /proc shows."""

from __future__ import annotations

import os
import signal
import socket
import struct
from array import array
from pathlib import Path

import pytest

from analyzer.diagnose.socket_claims import how_to_set
from analyzer.host import owners
from analyzer.host.runtimes import runtime_of
from analyzer.knowledge.snippets import Timing
from analyzer.model.community_id import community_id
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Process

ID = "0123456789abcdef" * 4


def inline(version: bytes) -> bytes:
    """Build information as Go 1.18 and later write it."""
    return b"\x7fELF" + b"\0" * 60 + b"\xff Go buildinf:\x08\2" + b"\0" * 16 + bytes([len(version)]) + version


def by_pointer(version: bytes) -> bytes:
    """As Go 1.13 to 1.17 do: an ELF with one segment, loaded to 0x400000."""
    header = bytearray(0x200)
    header[:4] = b"\x7fELF"
    struct.pack_into("<Q", header, 32, 64)
    struct.pack_into("<HH", header, 54, 56, 1)
    struct.pack_into("<IIQQQQQQ", header, 64, 1, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)
    header[0x100:0x110] = b"\xff Go buildinf:\x08\0"
    struct.pack_into("<Q", header, 0x110, 0x400180)
    struct.pack_into("<QQ", header, 0x180, 0x4001A0, len(version))
    header[0x1A0 : 0x1A0 + len(version)] = version
    return bytes(header)


@pytest.mark.parametrize(
    ("octets", "runtime"),
    [
        (inline(b"go1.22.1"), "go1.22.1"),
        (by_pointer(b"go1.16.3"), "go1.16.3"),
        (b"\x7fELF" + b"\0" * 40 + b"runtime.goexit\0go1.8.3\0", "go1.8.3"),
        (b"\x7fELF" + b"\0" * 40 + b"we say go1.8.3 in a text", ""),
        (b"\x7fELF\xff Go buildinf:\x08\2", ""),
        (b"", ""),
    ],
)
def test_go_is_known_by_its_build_information(octets: bytes, runtime: str, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(octets)
    assert runtime_of(str(path), "/usr/bin/program") == runtime


@pytest.mark.parametrize(
    ("executable", "runtime"),
    [
        ("/usr/bin/python3.11", "python3.11"),
        ("/usr/lib/jvm/java-17/bin/java", "java"),
        ("/usr/bin/node", "node"),
        ("/usr/sbin/php-fpm8.2", "php"),
        ("/opt/x/python3.12 (deleted)", "python3.12"),
        ("/usr/sbin/nginx", ""),
    ],
)
def test_others_are_known_by_their_name(executable: str, runtime: str) -> None:
    assert runtime_of("/nowhere", executable) == runtime


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ("go1.8.3", "before Go 1.13 it is off unless set"),
        ("go1.19.8", "KeepAlive: 60 * time.Second"),
        ("go1.23.1", "KeepAliveConfig"),
        ("python3.11", "sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)"),
        ("java", "socket.setKeepAlive(true);"),
        ("node", "socket.setKeepAlive(true, 60000);"),
        ("", "TCP_KEEPIDLE=60"),
    ],
)
def test_the_fix_is_in_the_language_of_the_program(runtime: str, said: str) -> None:
    assert said in how_to_set(Process(7, "agent", runtime=runtime), Timing(60, 10, 3))


@pytest.mark.parametrize(
    ("cgroup", "unit", "container", "pod"),
    [
        ("0::/system.slice/nginx.service", "nginx.service", "", ""),
        (f"0::/system.slice/docker-{ID}.scope", "", ID[:12], ""),
        (f"12:pids:/docker/{ID}", "", ID[:12], ""),
        (
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice/"
            f"cri-containerd-{ID}.scope",
            "",
            ID[:12],
            "0a1b2c3d-1111-2222-3333-444455556666",
        ),
        ("0::/", "", "", ""),
    ],
)
def test_where_a_process_runs_is_told_by_its_cgroup(
    cgroup: str, unit: str, container: str, pod: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_text("7 (a (strange) name) S " + " ".join(["0"] * 18) + " 500 0 0\n")
    (folder / "comm").write_text("a (strange) name\n")
    (folder / "cgroup").write_text(cgroup + "\n")
    (tmp_path / "stat").write_text("cpu 1\nbtime 1700000000\n")
    monkeypatch.setattr(owners, "PROC", tmp_path)
    owners._booted.cache_clear()
    process = owners._process(7)
    owners._booted.cache_clear()
    assert (process.unit, process.container, process.pod) == (unit, container, pod)
    assert process.command == "a (strange) name"
    assert 1_700_000_000 < (process.since or 0) < 1_700_000_010


@pytest.mark.parametrize(
    ("one", "other", "known"),
    [
        (("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("66.35.250.204", 80), ("128.232.110.120", 34855), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ],
)
def test_a_community_id_is_that_of_other_tools(one: tuple[str, int], other: tuple[str, int], known: str) -> None:
    """The vector is of github.com/corelight/community-id-spec."""
    assert community_id(Endpoint(*one), Endpoint(*other)) == known


@pytest.mark.parametrize("fate", ["well", "dies", "fails"])
def test_who_begins_to_look_ahead_finds_the_same(monkeypatch: pytest.MonkeyPatch, fate: str) -> None:
    """A child process looks; where it comes to nothing, who asks looks."""
    here, really = os.getpid(), owners._look_at_all

    def looked(but: str = "") -> array[int]:
        if os.getpid() != here and fate != "well":
            if fate == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            raise MemoryError
        return really(but)

    monkeypatch.setattr(owners, "_look_at_all", looked)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        shared = one.dup()
        ahead, plain = owners.Holders(ahead=True), owners.Holders()
        for held in (one, other):
            inode = os.fstat(held.fileno()).st_ino
            assert {(owner.process.pid, owner.fd) for owner in ahead.of(inode)} == {
                (here, fd.fileno()) for fd in ((one, shared) if held is one else (other,))
            }
            assert sorted(ahead.of(inode)) == sorted(plain.of(inode))
        assert ahead.unseen == plain.unseen
        shared.close()
