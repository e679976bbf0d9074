"""Each snippet is given to the program that it is for: what that says against it, or nothing.

The programs of `PROGRAMS` are installed by `make tools`. Those of `COMPILERS` are too large for that: what they said
is kept in `tests/recordings/snippets_checked.json`, which `python tests/support/snippet_checks.py --write` renews with
those that are installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from analyzer.knowledge.snippets import SNIPPETS, Snippet, Timing

KEPT = Path(__file__).parents[1] / "recordings" / "snippets_checked.json"
TIMING = Timing(45, 9, 4)
Lines = Sequence[str]
JAVA = "class Check { static void set(java.net.Socket socket) throws Exception {\n%s\n} }\n"
GO = 'package main\n\nimport (\n\t"net"\n\t"time"\n)\n\nfunc main() {\n\td := net.Dialer{\n\t\t%s\n\t}\n\t_ = d\n}\n'
C = "#include <netinet/in.h>\n#include <netinet/tcp.h>\n#include <sys/socket.h>\nvoid set(int fd) {\n%s\n}\n"
HAPROXY = "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n%s\n"
FRONTEND = HAPROXY % "frontend f\n bind 127.0.0.1:18080\n default_backend b\n %s\nbackend b\n server s 127.0.0.1:18081"
BACKEND = HAPROXY % "frontend f\n bind 127.0.0.1:18080\n default_backend b\nbackend b\n %s\n server s 127.0.0.1:18081"


def found(program: str) -> str | None:
    """Where a program is; daemons are not on everybody's PATH."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/go/bin")


def said(*command: str | Path, near: Path) -> str:
    """What a program prints where it fails, and nothing where it does not."""
    run = subprocess.run(command, capture_output=True, text=True, cwd=near, timeout=120, check=False)
    return "" if run.returncode == 0 else (run.stdout + run.stderr).strip() or f"status {run.returncode}"


def written(directory: Path, name: str, text: str) -> Path:
    """A file with this text."""
    path = directory / name
    path.write_text(text)
    return path


def haproxy(lines: Lines, near: Path) -> str:
    """`haproxy -c` of a proxy with them in its frontend, or in its backend."""
    frame = FRONTEND if "clitcpka" in lines[0] else BACKEND
    path = written(near, "haproxy.cfg", frame % "\n ".join(lines))
    return said(found("haproxy") or "haproxy", "-c", "-f", path, near=near)


def nginx(lines: Lines, near: Path) -> str:
    """`nginx -t` of a server with them."""
    lines = (f"pid {near}/pid;", "error_log stderr;", "events {}", "http { access_log off; server {", *lines, "} }")
    path = written(near, "nginx.conf", "\n".join(lines))
    return said(found("nginx") or "nginx", "-t", "-p", near, "-c", path, near=near)


def sshd(lines: Lines, near: Path) -> str:
    """`sshd -t`; where its privilege separation directory is missing it has read its configuration by then."""
    key = near / "key"
    said("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, near=near)
    path = written(near, "sshd_config", "\n".join(lines) + "\n")
    error = said(found("sshd") or "sshd", "-t", "-f", path, "-h", key, near=near)
    return "" if "privilege separation directory" in error else error


def ssh(lines: Lines, near: Path) -> str:
    """`ssh -G`, which prints what it understood."""
    path = written(near, "ssh_config", "\n".join(lines) + "\n")
    return said("ssh", "-G", "-F", path, "example.com", near=near)


def redis(lines: Lines, near: Path) -> str:
    """Redis reads its configuration before it opens a port: port -1 is where it ends, behind these lines."""
    path = written(near, "redis.conf", "\n".join([*lines, "port -1"]) + "\n")
    error = said(found("redis-server") or "redis-server", path, near=near)
    return "" if ">>> 'port -1'" in error else error or "it has started"


def libpq(lines: Lines, near: Path) -> str:
    """Psql parses its connection string before it looks for the server, which is none."""
    error = said("psql", "-w", "host=/nonexistent " + " ".join(lines), near=near)
    return "" if "No such file or directory" in error else error


def sysctl(lines: Lines, near: Path) -> str:
    """Each name is one of this kernel's, and each value a number."""
    missing = [name for name, _, _ in (line.partition("=") for line in lines) if not _under_proc(name).exists()]
    return f"no such name: {missing}" if missing else ""


def _under_proc(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def python(lines: Lines, near: Path) -> str:
    """They run on a socket."""
    script = "\n".join(["import socket", "sock = socket.socket()", *lines])
    return said(sys.executable, "-c", script, near=near)


PROGRAMS: dict[str, Callable[[Lines, Path], str]] = {
    "nginx": nginx,
    "HAProxy": haproxy,
    "OpenSSH client": ssh,
    "OpenSSH server": sshd,
    "Redis": redis,
    "libpq": libpq,
    "Linux": sysctl,
    "Python": python,
}


def c(lines: Lines, near: Path) -> str:
    """Compiled, with all warnings."""
    path = written(near, "check.c", C % "\n".join(lines))
    return said("cc", "-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Werror", "-fsyntax-only", path, near=near)


def go(lines: Lines, near: Path) -> str:
    """`go vet`, of a module without requirements."""
    written(near, "go.mod", "module check\n\ngo 1.23\n")
    written(near, "check.go", GO % "\n\t\t".join(lines))
    return said(found("go") or "go", "vet", ".", near=near)


def node(lines: Lines, near: Path) -> str:
    """Run on a socket."""
    return said("node", "-e", "\n".join(["const socket = new (require('net').Socket)();", *lines]), near=near)


def java(lines: Lines, near: Path) -> str:
    """Compiled."""
    return said("javac", "-d", near, written(near, "Check.java", JAVA % "\n".join(lines)), near=near)


def postgresql(lines: Lines, near: Path) -> str:
    """`postgres -C`, as nobody: it refuses root."""
    written(near, "postgresql.conf", "\n".join(lines) + "\n")
    near.chmod(0o755)
    return said(*AS_NOBODY, found("postgres") or "postgres", "-D", near, "-C", "tcp_keepalives_idle", near=near)


def mariadb(lines: Lines, near: Path) -> str:
    """`mariadbd --help --verbose` reads its options, and ends."""
    path = written(near, "my.cnf", "\n".join(["[mysqld]", *lines]) + "\n")
    near.chmod(0o755)
    program = found("mariadbd") or "mariadbd"
    return said(*AS_NOBODY, program, f"--defaults-file={path}", "--help", "--verbose", near=near)


def librdkafka(lines: Lines, near: Path) -> str:
    """Its Python binding refuses what is no property."""
    pairs = dict(line.split("=") for line in lines)
    return said(sys.executable, "-c", f"import confluent_kafka as kafka; kafka.Producer({pairs})", near=near)


AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
# By what each is checked: the command, and how it says its version.
COMPILERS: dict[str, tuple[Callable[[Lines, Path], str], tuple[str, ...]]] = {
    "C": (c, ("cc", "--version")),
    "Go": (go, ("go", "version")),
    "Node.js": (node, ("node", "--version")),
    "Java": (java, ("javac", "-version")),
    "PostgreSQL": (postgresql, ("postgres", "--version")),
    "MariaDB": (mariadb, ("mariadbd", "--version")),
    "librdkafka": (
        librdkafka,
        (sys.executable, "-c", "import confluent_kafka; print('librdkafka', confluent_kafka.libversion()[0])"),
    ),
}
# No program of a size to speak of reads rabbitmq.conf: its key is in the documentation alone.
BY_DOCUMENTATION = {"RabbitMQ"}


def main() -> None:
    """Check what is here; with --write keep what was said."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for one in SNIPPETS:
        check = PROGRAMS.get(one.software) or COMPILERS.get(one.software, (None,))[0]
        if check is None or (one.software in COMPILERS and not _is_here(one)):
            print(f"{one.software}: not checked")
            continue
        with tempfile.TemporaryDirectory() as near:
            error = check(one.filled(TIMING), Path(near))
        print(f"{one.software}, {one.where}: {error or 'accepted'}")
        if one.software in COMPILERS and not error:
            command = COMPILERS[one.software][1]
            version = subprocess.run([found(command[0]) or command[0], *command[1:]], capture_output=True, text=True)
            kept[one.software] = {
                "by": version.stdout.splitlines()[0].rpartition("/")[2]
                if version.stdout.startswith("/")
                else version.stdout.splitlines()[0],
                "lines": list(one.filled(TIMING)),
            }
    if "--write" in sys.argv:
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _is_here(one: Snippet) -> bool:
    """Whether what checks it is installed."""
    command = COMPILERS[one.software][1]
    program = found(command[0])
    return program is not None and subprocess.run([program, *command[1:]], capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
