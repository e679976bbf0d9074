"""Servers that ask, by their own settings or defaults: Redis, PostgreSQL, nginx, HAProxy, mosquitto, sshd."""

import shutil
from pathlib import Path

import programs
from endpoints import Talk
from network import ADDRESSES, run
from stage import Capture, Scenario, Stage

SERVER = ADDRESSES["server", 4]
PYTHON = "python3"
VARIES = ["connections.0.client.port"]
CLIENT_UNKNOWN = ["connections.0.state.client"]
IDLE = str(programs.SOURCES / "idle_client.py")


def write(stage: Stage, name: str, text: str) -> str:
    """A file for a program to read, and its path."""
    path = stage.folder / name
    path.write_text(text)
    return str(path)


def redis(stage: Stage) -> None:
    """A reply, and half a minute of silence."""
    options = ("--bind", SERVER, "--protected-mode", "no", "--save", "", "--dir", str(stage.folder))
    programs.serve(stage, 6379, "redis-server", *options, "--tcp-keepalive", "9")
    programs.start(stage, "client", "redis-cli", "-h", SERVER, "-r", "2", "-i", "60", "PING")
    programs.adopt(stage, 1)
    stage.until(31)
    programs.note_versions(stage, ["redis-server", "--version"], ["redis-cli", "--version"])


def serve_postgresql(stage: Stage, access: str, settings: dict[str, str | int]) -> Path:
    """A cluster of its own, with who may do what; where its programs are."""
    stage.folder.chmod(0o711)
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    data = stage.folder / "data"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    as_postgres = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups")
    run(*as_postgres, str(binaries / "initdb"), "-A", "trust", "--no-sync", "-U", "lab", "-D", str(data))
    (data / "pg_hba.conf").write_text(access)
    everywhere = {"listen_addresses": SERVER, "unix_socket_directories": ""} | settings
    options = [word for name, value in everywhere.items() for word in ("-c", f"{name}={value}")]
    programs.serve(stage, 5432, *as_postgres, str(binaries / "postgres"), "-D", str(data), *options)
    return binaries


def postgresql(stage: Stage, role: str) -> Talk:
    """A query that takes longer than both ends' idle times; one host falls silent meanwhile."""
    settings: dict[str, str | int] = {
        "tcp_keepalives_idle": 6,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
    }
    binaries = serve_postgresql(stage, "host all all 192.0.2.0/24 trust\n", settings)
    target = (f"host={SERVER} user=lab dbname=postgres sslmode=disable gssencmode=disable "
              "keepalives_idle=5 keepalives_interval=3 keepalives_count=4")  # fmt: skip
    programs.start(stage, "client", "psql", target, "-c", "select pg_sleep(60)")
    [talk] = programs.adopt(stage, 1)
    stage.sleep(7)
    stage.router.silence(role)
    # The client's timer: 5 s and four intervals of 3 s; the server's: 6 s and three of 2 s.
    stage.sleep(19.5 if role == "server" else 13.5)
    programs.note_versions(stage, [str(binaries / "postgres"), "--version"])
    return talk


def postgresql_server(stage: Stage) -> None:
    """The client is gone, and the backend finds out."""
    postgresql(stage, "client").outcome("dead_peer", "rst", "server", "keepalive_exhausted")


def libpq(stage: Stage) -> None:
    """The server is gone, and psql finds out; so does the server, sooner."""
    talk = postgresql(stage, "server")
    talk.server.gave_up_too = True
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def nginx(stage: Stage) -> None:
    """The client asks once and vanishes."""
    listen = f"listen {SERVER}:8080 so_keepalive=4s:2s:3;"
    config = f"daemon off; pid {stage.folder}/pid; error_log stderr; events {{}} "
    config += f"http {{ access_log off; server {{ {listen} return 200 hello; }} }}"
    programs.serve(stage, 8080, "nginx", "-c", write(stage, "nginx.conf", config), "-p", str(stage.folder))
    programs.start(stage, "client", PYTHON, IDLE, SERVER, "8080", "60")
    [talk] = programs.adopt(stage, 1)
    stage.router.silence("client")
    stage.sleep(13)
    programs.note_versions(stage, ["nginx", "-v"])
    talk.outcome("dead_peer", "rst", "server", "keepalive_exhausted")


def haproxy(stage: Stage) -> None:
    """The client asks once through the proxy, and stays silent."""
    config = f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
frontend lab
  bind {SERVER}:8080
  option clitcpka
  clitcpka-idle 5s
  clitcpka-intvl 2s
  clitcpka-cnt 3
  http-request return status 200 content-type text/plain string hello
"""
    programs.serve(stage, 8080, "haproxy", "-db", "-f", write(stage, "haproxy.cfg", config))
    programs.start(stage, "client", PYTHON, IDLE, SERVER, "8080", "60")
    programs.adopt(stage, 1)
    stage.sleep(17.2)
    programs.note_versions(stage, ["haproxy", "-v"])


def mosquitto(stage: Stage) -> None:
    """A subscriber that pings its broker every 5 s."""
    config = write(stage, "mosquitto.conf", f"listener 1883 {SERVER}\nallow_anonymous true\n")
    programs.serve(stage, 1883, "mosquitto", "-c", config)
    programs.start(stage, "client", "mosquitto_sub", "-h", SERVER, "-k", "5", "-t", "lab", "-i", "lab")
    programs.adopt(stage, 1)
    stage.sleep(23)
    # Neither has an option that prints its version and nothing else.
    programs.note_versions(stage, ["dpkg-query", "-W", "mosquitto", "mosquitto-clients"])


def serve_ssh(stage: Stage, more: str = "") -> Path:
    """A server that root may log in to with its own host key, which is where it is said."""
    key = stage.folder / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key))
    Path("/run/sshd").mkdir(exist_ok=True)
    config = write(
        stage,
        "sshd_config",
        f"Port 2022\nListenAddress {SERVER}\nHostKey {key}\nAuthorizedKeysFile {key}.pub\nStrictModes no\n"
        f"UsePAM no\nPermitRootLogin yes\nTCPKeepAlive no\nPidFile {stage.folder}/sshd.pid\n{more}",
    )
    programs.serve(stage, 2022, "/usr/sbin/sshd", "-D", "-e", "-f", config)
    return key


def ssh_command(key: Path, *words: str, **options: str) -> tuple[str, ...]:
    """How to call it."""
    usual = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "TCPKeepAlive": "no",
             "IdentitiesOnly": "yes"}  # fmt: skip
    settings = [word for name, value in (usual | options).items() for word in ("-o", f"{name}={value}")]
    return ("ssh", "-F", "none", "-p", "2022", "-i", str(key), *settings, *words, f"root@{SERVER}")


def ssh(stage: Stage) -> None:
    """ServerAliveInterval asks inside of the encrypted stream, and TCPKeepAlive is off."""
    key = serve_ssh(stage)
    programs.start(stage, "client", *ssh_command(key, "-N", ServerAliveInterval="4"))
    programs.adopt(stage, 1)
    stage.sleep(19)
    programs.note_versions(stage, ["ssh", "-V"])


SCENARIOS = [
    Scenario(
        name="redis",
        title="redis-server with tcp-keepalive 9, and redis-cli, which has 15 s of its own, silent after a PING.",
        look_at="Redis sets interval and count itself: a third of the idle time, and 3.",
        play=redis,
        chance=VARIES,
    ),
    Scenario(
        name="postgresql",
        title="A PostgreSQL server with 6 s, 2 s and 3 probes runs a long query for a client that is gone.",
        look_at="The backend's kernel probes, first with answers; then three probes without, and RST,ACK.",
        play=postgresql_server,
        capture=Capture(vantage="server"),
        chance=VARIES,
        not_shown=CLIENT_UNKNOWN,
    ),
    Scenario(
        name="libpq",
        title="psql with keepalives_idle=5, interval 3 and count 4 waits for a server that is gone.",
        look_at="The client probes while it waits for the reply, and gives up; the server had probed, too.",
        play=libpq,
        chance=VARIES,
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="nginx",
        title="nginx with so_keepalive=4s:2s:3 and a client that vanishes after its request.",
        look_at="The server probes three times, 2 s apart, and resets.",
        play=nginx,
        capture=Capture(vantage="server"),
        chance=VARIES,
        not_shown=CLIENT_UNKNOWN,
    ),
    Scenario(
        name="haproxy",
        title="HAProxy with clitcpka, 5 s, 2 s and 3 probes, and a client that stays silent.",
        look_at="The proxy probes its client every 5 s.",
        play=haproxy,
        chance=VARIES,
    ),
    Scenario(
        name="mosquitto",
        title="An MQTT subscriber with a keepalive of 5 s and its broker: the protocol asks, not TCP.",
        look_at="PINGREQ and PINGRESP of two bytes each, every 5 s; no TCP probe at all.",
        play=mosquitto,
        chance=VARIES,
    ),
    Scenario(
        name="ssh",
        title="ssh with ServerAliveInterval 4 and without TCPKeepAlive: the heartbeat is inside of the encryption.",
        look_at="A small encrypted exchange every 4 s, begun by the client; no TCP probe at all.",
        play=ssh,
        chance=VARIES,
    ),
]
