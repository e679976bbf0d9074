"""Network namespaces for one scenario: client, router and server in a row, or one host by itself."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PREFIX = "kalab"
CLONE_NEWNET = 0x40000000
ORDERLY_END_S = 2.0
NETNS_FOLDER = Path("/run/netns")

# Documentation ranges (RFC 5737, RFC 3849), so that no recording names a real host.
ADDRESSES = {
    ("client", 4): "192.0.2.10",
    ("router", 4): "192.0.2.1",
    ("server", 4): "198.51.100.20",
    ("client", 6): "2001:db8:c::10",
    ("router", 6): "2001:db8:c::1",
    ("server", 6): "2001:db8:5::20",
}
FAMILY_WORDS = {4: "ip", 6: "ip6"}
ROUTER_TOWARDS_SERVER = {4: "198.51.100.1", 6: "2001:db8:5::1"}
PREFIX_LENGTH = {4: 24, 6: 64}
# How the rules of a firewall are named that answers what it drops, in the name of the other end.
FORGES = ", answered with RST"

_libc = ctypes.CDLL(None, use_errno=True)
# Threads change namespace and come back; this is where they come back to.
_home = os.open("/proc/self/ns/net", os.O_RDONLY)


@dataclass
class Namespace:
    """One network namespace, and the processes that were started in it."""

    name: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def create(self) -> None:
        """Make it, with its loopback device up."""
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread, and what it starts or opens, live in the namespace."""
        target = os.open(NETNS_FOLDER / self.name, os.O_RDONLY)
        try:
            _set_namespace(target)
            yield
        finally:
            os.close(target)
            _set_namespace(_home)

    def run(self, *command: str) -> str:
        """The output of a command that succeeds."""
        with self.entered():
            return run(*command)

    def start(self, command: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program that the kernel ends with the thread that started it."""
        with self.entered():
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)
        return process

    def sysctl(self, **settings: int | str) -> None:
        """Set kernel parameters, with `__` for the dots of their names."""
        with self.entered():
            for name, value in settings.items():
                Path("/proc/sys/net", *name.split("__")).write_text(str(value))

    def remove(self) -> None:
        """End what runs in it and delete it."""
        running = [process for process in self.processes if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGINT)  # which databases take for a quick but orderly end
        for process in running:
            try:
                process.wait(timeout=ORDERLY_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


@dataclass
class Network:
    """The namespaces of one scenario by role, joined by veth pairs `c0 - rc, rs - s0`."""

    label: str
    offload: bool = False
    single_host: bool = False
    hosts: dict[str, Namespace] = field(default_factory=dict)

    def build(self) -> None:
        """Create the namespaces, links, addresses and routes."""
        for role in ["client"] if self.single_host else ["client", "router", "server"]:
            self.hosts[role] = Namespace(f"{PREFIX}-{os.getpid()}-{self.label}-{role[0]}")
            self.hosts[role].create()
        if self.single_host:
            self.hosts["server"] = self.hosts["client"]
            return
        self._link("client", "c0", "02:00:00:00:00:0c", "rc", "02:00:00:00:01:0c")
        self._link("server", "s0", "02:00:00:00:00:05", "rs", "02:00:00:00:01:05")
        for role, device in (("client", "c0"), ("server", "s0")):
            self._address(role, device)
            self.add_default_route(role)
        self.hosts["router"].sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        self._resolve_neighbours()

    def _link(self, role: str, device: str, mac: str, far_device: str, far_mac: str) -> None:
        near, router = self.hosts[role].name, self.hosts["router"].name
        run("ip", "link", "add", device, "netns", near, "address", mac, "type", "veth",
            "peer", "name", far_device, "netns", router, "address", far_mac)  # fmt: skip
        for namespace, name in ((self.hosts[role], device), (self.hosts["router"], far_device)):
            # Nothing here answers router solicitations. The link-local address must stay: without one
            # the router cannot ask for its neighbours, and forgets them in the middle of a play.
            namespace.sysctl(**{f"ipv6__conf__{name}__router_solicitations": 0, f"ipv6__conf__{name}__accept_dad": 0})
            if not self.offload:
                namespace.run("ethtool", "-K", name, "tx", "off", "gso", "off", "gro", "off")
            namespace.run("ip", "link", "set", name, "up")

    def _address(self, role: str, device: str) -> None:
        for family, length in PREFIX_LENGTH.items():
            gateway = gateway_of(role, family)
            self.hosts[role].run(
                "ip", "address", "add", f"{ADDRESSES[role, family]}/{length}", "dev", device, *nodad(family)
            )
            far = "rc" if role == "client" else "rs"
            self.hosts["router"].run("ip", "address", "add", f"{gateway}/{length}", "dev", far, *nodad(family))

    def add_default_route(self, role: str) -> None:
        """Point a host at the router; needed again after its link was down."""
        for family in PREFIX_LENGTH:
            self.hosts[role].run("ip", f"-{family}", "route", "replace", "default", "via", gateway_of(role, family))

    def _resolve_neighbours(self) -> None:
        # Otherwise the first SYN over IPv6 waits for neighbour discovery and is repeated after a second.
        for role, far in (("client", "server"), ("server", "client")):
            for family in PREFIX_LENGTH:
                kind = socket.AF_INET if family == 4 else socket.AF_INET6
                with self.hosts[role].entered(), socket.socket(kind, socket.SOCK_DGRAM) as datagram:
                    datagram.sendto(b"", (ADDRESSES[far, family], 9))
        time.sleep(0.1)

    def remove(self) -> None:
        """Delete all namespaces."""
        for namespace in self.hosts.values():
            namespace.remove()


@dataclass
class Router:
    """The rules of the router in the middle, each with the kernel's count of what it dropped."""

    namespace: Namespace
    _past: dict[str, int] = field(default_factory=dict)

    def prepare(self) -> None:
        """Create the table that forwards everything."""
        self.namespace.run("nft", "add table inet lab")
        self.namespace.run("nft", "add chain inet lab forward { type filter hook forward priority 0; policy accept; }")

    def drop(self, match: str) -> None:
        """From now on drop the forwarded packets that fit an nft expression."""
        self.namespace.run("nft", f'add rule inet lab forward {match} counter drop comment "{match}"')

    def reject(self, match: str, error: str) -> None:
        """From now on drop the forwarded packets that fit, and tell their sender by an ICMP error."""
        self.namespace.run(
            "nft", f'add rule inet lab forward {match} counter reject with {error} comment "{match}, answered by ICMP"'
        )

    def forget_after(self, seconds: int, then: str) -> None:
        """Become a firewall that forgets idle connections, and does `then` to packets of one that it does not know."""
        self._track(seconds, loose=0)
        match = "ct state invalid"
        if then == "drop":
            self.drop(match)
        else:
            comment = match + FORGES
            self.namespace.run(
                "nft", f'add rule inet lab forward {match} counter reject with tcp reset comment "{comment}"'
            )

    def translate(self, seconds: int) -> None:
        """Become a NAT that gives a connection it has forgotten another port."""
        self._track(seconds, loose=1)
        self.namespace.run("nft", "add table ip nat")
        self.namespace.run("nft", "add chain ip nat out { type nat hook postrouting priority 100; }")
        self.namespace.run("nft", "add rule ip nat out oifname rs masquerade fully-random")

    def _track(self, seconds: int, loose: int) -> None:
        # Tracking begins with the first rule that asks for it.
        self.namespace.run("nft", "insert rule inet lab forward ct state established counter")
        self.namespace.sysctl(
            netfilter__nf_conntrack_tcp_timeout_established=seconds,
            netfilter__nf_conntrack_tcp_timeout_unacknowledged=seconds,
            netfilter__nf_conntrack_tcp_loose=loose,
        )

    def silence(self, role: str) -> None:
        """Lose everything to and from one host."""
        for family, word in FAMILY_WORDS.items():
            for direction in ("saddr", "daddr"):
                self.drop(f"{word} {direction} {ADDRESSES[role, family]}")

    def restore(self) -> None:
        """Forward everything again."""
        self._past = self.dropped()
        self.namespace.run("nft", "flush chain inet lab forward")

    def dropped(self) -> dict[str, int]:
        """How many packets each rule has dropped, rules that are gone included."""
        counts = dict(self._past)
        listing = json.loads(self.namespace.run("nft", "-j", "list", "chain", "inet", "lab", "forward"))
        for entry in listing["nftables"]:
            rule = entry.get("rule")
            if rule and rule.get("comment"):
                packets = next(part["counter"]["packets"] for part in rule["expr"] if "counter" in part)
                counts[rule["comment"]] = counts.get(rule["comment"], 0) + packets
        return counts


def gateway_of(role: str, family: int) -> str:
    """The router's address on a host's own link."""
    return ADDRESSES["router", family] if role == "client" else ROUTER_TOWARDS_SERVER[family]


def nodad(family: int) -> list[str]:
    """What makes an IPv6 address usable at once."""
    return ["nodad"] if family == 6 else []


def run(*command: str) -> str:
    """The output of a command that succeeds."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def remove_leftovers() -> list[str]:
    """Remove the namespaces, and the processes in them, of runs that were killed before they could."""
    removed = []
    for path in sorted(NETNS_FOLDER.glob(f"{PREFIX}-*")):
        owner = int(path.name.split("-")[1])
        if is_recorder(owner):
            continue
        for pid in run("ip", "netns", "pids", path.name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        run("ip", "netns", "del", path.name)
        removed.append(path.name)
    return removed


def is_recorder(pid: int) -> bool:
    """Whether a process is a run of this lab."""
    try:
        return b"record.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _set_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
