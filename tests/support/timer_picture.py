"""The README's picture of kernel timers: two Go programs over HTTP, seen from both ends, and their probes on the wire.

`python tests/support/timer_picture.py --write` draws it anew (root, Linux, Go; a minute and a half).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from live_network import SERVER, Hosts, two_hosts
from PIL import Image
from results import ROOT

PICTURE = ROOT / "tests" / "baselines" / "timers.png"
PROGRAMS = ROOT / "captures" / "lab" / "programs"
PORT, SECONDS = 8080, 66


def inside(host: str, *command: str) -> subprocess.Popen[bytes]:
    """A program on one of the hosts."""
    return subprocess.Popen(["ip", "netns", "exec", host, *command], stderr=subprocess.PIPE)


def draw(hosts: Hosts, folder: Path, picture: Path) -> str:
    """Run the two programs, draw the timers of all four sockets, and say what was captured meanwhile."""
    for name in ("http_client", "http_server"):
        subprocess.run(["go", "build", "-o", str(folder / name), str(PROGRAMS / f"{name}.go")], check=True)
    capture = folder / "capture.pcap"
    tcpdump = inside(hosts.client, "tcpdump", "-U", "-i", hosts.interface, "-w", str(capture), "tcp")
    assert tcpdump.stderr is not None
    tcpdump.stderr.readline()
    server = inside(hosts.server, str(folder / "http_server"), f"{SERVER}:{PORT}")
    client = inside(hosts.client, "sh", "-c", f"sleep 1; exec {folder / 'http_client'} http://{SERVER}:{PORT}/")
    try:
        look = [
            "sockets",
            "--netns",
            "all",
            "--host",
            f"{SERVER}/24",
            "--port",
            str(PORT),
            "--saw-tooth",
            str(SECONDS),
            "-o",
            str(picture),
        ]
        subprocess.run(["sleep", "2"], check=True)
        subprocess.run([sys.executable, "-m", "analyzer", *look], check=True)
    finally:
        for process in (client, server, tcpdump):
            process.terminate()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
    done = subprocess.run(
        [sys.executable, "-m", "analyzer", "analyze", str(capture), "--utc"], check=True, capture_output=True, text=True
    )
    return done.stdout


def main() -> None:
    """Draw it."""
    with tempfile.TemporaryDirectory() as folder, two_hosts("client", "server") as hosts:
        picture = PICTURE if "--write" in sys.argv else Path(folder) / "timers.png"
        print(draw(hosts, Path(folder), picture))
        with Image.open(picture) as drawn:  # few colours: a fifth of the bytes
            drawn.convert("P", palette=Image.Palette.ADAPTIVE, colors=48).save(picture, optimize=True)
        picture.chmod(0o644)


if __name__ == "__main__":
    main()
