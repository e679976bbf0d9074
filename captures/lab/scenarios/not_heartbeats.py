"""Programs that say something again and again, and mean no heartbeat by it."""

import programs
from endpoints import Keepalive, Talk
from stage import Scenario, Stage

from scenarios.heartbeats_of_programs import NODE, PYTHON, VERSION, call, source
from scenarios.servers import SERVER, serve_postgresql, serve_ssh, ssh_command, write

LASTS_S = 50.0
MONITOR = """select count(*), now() from pg_stat_activity
\\watch 2.7
"""


def polls(stage: Stage) -> None:
    """Status in JSON at an even pace and at any time, news that are waited for, an empty queue, a monitor."""
    programs.serve(stage, 8080, NODE, source("status_server.js"), SERVER, "8080")
    for path, *pause in (("/status", "2.9", "2.9"), ("/status", "1.1", "6.7"), ("/news", "0", "0")):
        call(stage, PYTHON, source("status_client.py"), SERVER, "8080", path, *pause)
    serve_postgresql(stage, "host all all 192.0.2.0/24 trust\n", {})
    target = f"host={SERVER} user=lab dbname=postgres sslmode=disable gssencmode=disable"
    options = ("--bind", SERVER, "--protected-mode", "no", "--save", "", "--dir", str(stage.folder))
    programs.serve(stage, 6379, "redis-server", *options)
    call(stage, "redis-cli", "-h", SERVER, "-r", "-1", "-i", "2.4", "LLEN", "jobs")
    call(stage, "psql", target, "-f", write(stage, "watch.sql", MONITOR))


def typing(stage: Stage) -> None:
    """Somebody who types, in a remote shell and in one that is not encrypted."""
    key = serve_ssh(stage)
    call(stage, PYTHON, source("typist.py"), *ssh_command(key, "-tt"), "cat")
    programs.serve(stage, 2323, PYTHON, source("echo_lines.py"), SERVER, "2323")
    call(stage, PYTHON, source("typist.py"), "curl", "-sN", f"telnet://{SERVER}:2323")


def streams(stage: Stage) -> None:
    """A sensor that tells what it measures, who listens to it, and a slow download."""
    config = write(stage, "mosquitto.conf", f"listener 1883 {SERVER}\nallow_anonymous true\n")
    programs.serve(stage, 1883, "mosquitto", "-c", config)
    call(stage, "mosquitto_sub", "-h", SERVER, "-k", "60", "-t", "lab", "-i", "listener")
    call(stage, PYTHON, source("sensor.py"), "2.1", "mosquitto_pub", "-h", SERVER, "-k", "60", "-t", "lab", "-l")
    (stage.folder / "large").write_bytes(b"download " * 4000)
    listen = f"listen {SERVER}:8081;"
    config = f"daemon off; pid {stage.folder}/pid; error_log stderr; events {{}} "
    config += f"http {{ access_log off; server {{ {listen} root {stage.folder}; limit_rate 400; }} }}"
    stage.folder.chmod(0o711)
    programs.serve(stage, 8081, "nginx", "-c", write(stage, "nginx.conf", config), "-p", str(stage.folder))
    call(stage, "curl", "-s", "-o", "/dev/null", f"http://{SERVER}:8081/large")


def probed(stage: Stage) -> Talk:
    """Nothing but the kernel's probes."""
    talk = stage.connect(client=Keepalive(time=4, intvl=2, probes=3))
    talk.exchange(160, 410)
    return talk


def play(stage: Stage) -> None:
    """All of them, side by side."""
    probed(stage)
    polls(stage)
    typing(stage)
    streams(stage)
    for talk in stage.talks:
        talk.beats = []
    stage.sleep(LASTS_S)
    stage.chatter("client", "server")
    packages = ("nodejs", "redis-tools", "postgresql-15", "openssh-server", "mosquitto", "nginx-light", "curl")
    programs.note_versions(stage, *(["dpkg-query", "-W", "-f", VERSION, package] for package in packages))


SCENARIO = Scenario(
    name="not-heartbeats",
    title="Polls, a long poll, two who type, a sensor and its listener, a slow download, and probes of TCP alone.",
    look_at="Whatever comes again says something each time: only the probes are sent to keep a connection alive.",
    play=play,
    chance=[f"connections.{number}.client.port" for number in range(1, 11)],
)
