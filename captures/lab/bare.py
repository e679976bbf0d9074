"""What hosts may do differently: no TCP timestamps, no IP IDs, deaf to some of what arrives."""

import contextlib
from collections.abc import Iterator, Sequence

from stage import Stage


@contextlib.contextmanager
def without_timestamps(stage: Stage) -> Iterator[None]:
    """Connections made meanwhile have no TCP timestamps: the kernel asks for them where the SYN is made."""
    first = len(stage.talks)
    for host in (stage.client, stage.server):
        host.sysctl(ipv4__tcp_timestamps=0)
    yield
    ports = ", ".join(str(talk.client.address[1]) for talk in stage.talks[first:])
    stage.note(f"net.ipv4.tcp_timestamps was 0 at both hosts when connections were made from these ports: {ports}.")
    for host in (stage.client, stage.server):
        host.sysctl(ipv4__tcp_timestamps=1)


def without_ip_ids(stage: Stage) -> None:
    """IPv4 packets leave both hosts with the ID 0, as macOS and FreeBSD send what must not be fragmented."""
    stage.note("A rule of nftables at both hosts set the IPv4 ID to 0.")
    for host in (stage.client, stage.server):
        host.run("nft", "add table ip bare")
        host.run("nft", "add chain ip bare out { type filter hook output priority 0; }")
        host.run("nft", "add rule ip bare out ip id set 0")


def deafen(stage: Stage, role: str, ports: Sequence[int]) -> None:
    """From now on a host hears nothing that arrives for these ports; a recording on the wire has it all the same."""
    host, words = stage.network.hosts[role], ", ".join(map(str, ports))
    stage.note(f"A rule of nftables at the {role} dropped what arrived for its ports {words}, for a while or for good.")
    host.run("nft", "add table inet deaf")
    host.run("nft", "add chain inet deaf arrived { type filter hook input priority 0; }")
    host.run("nft", f"add rule inet deaf arrived tcp dport {{ {words} }} drop")


def hear(stage: Stage, role: str) -> None:
    """Hear everything again."""
    stage.network.hosts[role].run("nft", "delete table inet deaf")
