"""Programs that keep their connections alive by what their protocols have for it, at odd periods, all at once."""

from pathlib import Path

import programs
import publishing
from endpoints import Shown, Talk
from network import run
from stage import Capture, Scenario, Stage

from scenarios.servers import SERVER, serve_postgresql, serve_ssh, ssh_command, write

LASTS_S = 44.0
LOSS = "meta l4proto tcp numgen random mod 100 < 4"
PYTHON, NODE = "/usr/bin/python3", "node"
WEBSOCKET, WEBSOCKET_NODE, WEBSOCKET_TLS = "8765", "8766", "8767"
PING, PONG = "websocket.opcode == 9", "websocket.opcode == 10"
NATS_PING, NATS_PONG = (f"tcp.payload == {word.hex(':')}" for word in (b"PING\r\n", b"PONG\r\n"))
STATUS, KEEPALIVE = "tcp.payload[0:6] == 64:00:00:00:26:72", "tcp.payload[0:6] == 64:00:00:00:16:6b"
VERSION = "${Package} ${Version}\\n"
PSQL = """select 1
\\watch 3.3
"""


def source(name: str) -> str:
    """The path of one of the lab's own programs."""
    return str(programs.SOURCES / name)


def call(stage: Stage, *command: str) -> Talk:
    """Start a client, and its connection."""
    programs.start(stage, "client", *command)
    return programs.adopt(stage, 1)[0]


def certificate(stage: Stage) -> tuple[str, str]:
    """One of the server's own, and the key of it."""
    paths = str(stage.folder / "certificate.pem"), str(stage.folder / "key.pem")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("openssl", "req", "-x509", *kind, "-subj", "/CN=lab", "-addext", f"subjectAltName=IP:{SERVER}",
        "-out", paths[0], "-keyout", paths[1])  # fmt: skip
    return paths


def websockets(stage: Stage) -> None:
    """A server in Python that pings, a client in Python that does, and one in JavaScript."""
    program, http = source("websockets_pings.py"), ("-d", f"tcp.port=={WEBSOCKET},http")
    programs.serve(stage, int(WEBSOCKET), PYTHON, program, "serve", SERVER, WEBSOCKET, "3.37")
    talk = call(stage, PYTHON, program, "call", f"ws://{SERVER}:{WEBSOCKET}", "0")
    talk.shown = [Shown("server", 3.37, "websocket", PING, PONG, http)]
    talk = call(stage, PYTHON, program, "call", f"ws://{SERVER}:{WEBSOCKET}", "2.63")
    talk.shown = [Shown("client", 2.63, "websocket", PING, PONG, http), talk_of_server(http)]
    program, http = source("websocket_pings.js"), ("-d", f"tcp.port=={WEBSOCKET_NODE},http")
    programs.serve(stage, int(WEBSOCKET_NODE), NODE, program, "serve", SERVER, WEBSOCKET_NODE)
    talk = call(stage, NODE, program, "call", SERVER, WEBSOCKET_NODE, "4700")
    talk.shown = [Shown("client", 4.7, "websocket", PING, PONG, http)]


def talk_of_server(http: tuple[str, str]) -> Shown:
    """What the pinging server sends to a client that pings, too."""
    return Shown("server", 3.37, "websocket", PING, PONG, http)


def inside_tls(stage: Stage, files: tuple[str, str]) -> None:
    """WebSocket and MQTT inside TLS 1.3; the secrets of the first stay with the laboratory."""
    hidden, public = stage.folder / "hidden.keys", stage.folder / publishing.KEY_LOG
    program = source("websockets_pings.py")
    programs.serve(
        stage, int(WEBSOCKET_TLS), PYTHON, program, "serve", SERVER, WEBSOCKET_TLS, "2.9", *files, str(hidden)
    )
    talk = call(stage, PYTHON, program, "call", f"wss://{SERVER}:{WEBSOCKET_TLS}", "0", files[0])
    secrets = ("-d", f"tls.port=={WEBSOCKET_TLS},http", "-o", f"tls.keylog_file:{hidden}")
    talk.shown = [Shown("server", 2.9, "periodic", PING, PONG, secrets)]
    talk = call(stage, PYTHON, source("paho_idle.py"), SERVER, "8883", "3", files[0], str(public))
    secrets = ("-d", "tls.port==8883,mqtt", "-o", f"tls.keylog_file:{public}")
    talk.shown = [Shown("client", 3, "periodic", "mqtt.msgtype == 12", "mqtt.msgtype == 13", secrets)]


def serve_brokers(stage: Stage, public: str, private: str) -> None:
    """RabbitMQ, NATS and mosquitto; the last one with TLS as well."""
    programs.start(stage, "server", "epmd")  # or RabbitMQ starts one that outlives it
    folder = stage.folder / "rabbitmq"
    folder.mkdir()
    config = write(stage, "rabbitmq.conf", "loopback_users = none\n")
    words = {"HOME": folder, "RABBITMQ_NODENAME": "rabbit@localhost", "RABBITMQ_MNESIA_BASE": folder,
             "RABBITMQ_LOG_BASE": folder, "RABBITMQ_CONFIG_FILE": config, "RABBITMQ_NODE_IP_ADDRESS": SERVER,
             "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins", "RUNNING_UNDER_SYSTEMD": 1}  # fmt: skip
    settings = (f"{name}={value}" for name, value in words.items())
    programs.serve(stage, 5672, "env", *settings, "/usr/lib/rabbitmq/bin/rabbitmq-server")
    config = write(stage, "nats.conf", f'listen: "{SERVER}:4222"\nping_interval: "3200ms"\n')
    programs.serve(stage, 4222, "nats-server", "-c", config)
    config = f"user root\nallow_anonymous true\nlistener 1883 {SERVER}\nlistener 8883 {SERVER}\n"
    config += f"certfile {public}\nkeyfile {private}\n"
    programs.serve(stage, 8883, "mosquitto", "-c", write(stage, "mosquitto.conf", config))


def brokers(stage: Stage) -> None:
    """Clients that only subscribe."""
    talk = call(stage, PYTHON, source("pika_idle.py"), SERVER, "5672", "7")
    talk.shown = [Shown(role, 3.5, "amqp", "amqp.type == 8") for role in ("client", "server")]
    talk = call(stage, PYTHON, source("nats_idle.py"), SERVER, "4222")
    talk.shown = [Shown("server", 3.2, "nats", NATS_PING, NATS_PONG)]
    talk = call(stage, PYTHON, source("paho_idle.py"), SERVER, "1883", "4")
    talk.shown = [Shown("client", 4, "mqtt", "mqtt.msgtype == 12", "mqtt.msgtype == 13")]


def serve_databases(stage: Stage) -> Path:
    """Redis, MariaDB and PostgreSQL; where the programs of the last one are."""
    options = ("--bind", SERVER, "--protected-mode", "no", "--save", "", "--dir", str(stage.folder))
    programs.serve(stage, 6379, "redis-server", *options, "--tcp-keepalive", "0")
    data = stage.folder / "mariadb"
    where = (f"--datadir={data}", "--user=root")
    run("mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal", *where)
    first = write(stage, "first.sql", "create user lab@'192.0.2.%';\n")
    programs.serve(stage, 3306, "mariadbd", "--no-defaults", *where, f"--init-file={first}",
                   f"--bind-address={SERVER}", f"--socket={stage.folder}/mariadb.sock")  # fmt: skip
    access = "local all all trust\nhost all all 192.0.2.0/24 trust\nhost replication all 192.0.2.0/24 trust\n"
    sockets = {"unix_socket_directories": str(stage.folder / "data")}
    binaries = serve_postgresql(stage, access, {**sockets})
    # What is streamed begins with the file of the log, which is to be a new one.
    run("psql", "-h", str(stage.folder / "data"), "-U", "lab", "-c", "select pg_switch_wal()", "postgres")
    return binaries


def databases(stage: Stage, binaries: Path) -> None:
    """Clients that ask whether the server is there."""
    talk = call(stage, "redis-cli", "-h", SERVER, "-r", "-1", "-i", "2.3", "PING")
    ping = 'resp.bulk_string.value == "PING"'
    talk.shown = [Shown("client", 2.3, "redis", ping, 'resp.string == "PONG"')]
    talk = call(stage, PYTHON, source("redis_subscriber.py"), SERVER, "6379", "2.57")
    talk.shown = [Shown("client", 2.57, "redis", ping, 'resp.bulk_string.value == "pong"')]
    talk = call(stage, PYTHON, source("pymysql_pings.py"), SERVER, "3306", "lab", "3.7")
    ok = "mysql.packet_number == 1 and mysql.response_code == 0"
    talk.shown = [Shown("client", 3.7, "mysql", "mysql.command == 14", ok)]
    talk = call(stage, "mysqladmin", "--no-defaults", "-h", SERVER, "-u", "lab", "--skip-ssl", "-i", "3", "ping")
    talk.shown = [Shown("client", 3, "mysql", "mysql.command == 14", ok)]
    target = f"host={SERVER} user=lab dbname=postgres sslmode=disable gssencmode=disable"
    talk = call(stage, "psql", target, "-f", write(stage, "watch.sql", PSQL))
    talk.shown = [
        Shown("client", 3.3, "postgresql", 'pgsql.query contains "select 1"', 'pgsql.type == "Ready for query"')
    ]
    receive = (str(binaries / "pg_receivewal"), "--no-loop", "--no-sync", "-d", target)
    for number, (seconds, options) in enumerate((("4", ""), ("0", " options='-c wal_sender_timeout=7s'"))):
        folder = stage.folder / f"wal-{number}"
        folder.mkdir()
        talk = call(stage, *receive[:-1], target + options, "-D", str(folder), "--status-interval", seconds)
        if options:  # it replies to what asks for a reply, and says nothing else
            talk.shown = [Shown("client", 3.5, "postgresql", STATUS)]
            talk.shown.append(Shown("server", 3.5, "postgresql", KEEPALIVE, STATUS))
        else:  # it counts whole seconds, and waits for four of them or for five
            talk.shown = [Shown("client", 4.5, "postgresql", STATUS, jitter=0.125)]


def ssh(stage: Stage, key: Path) -> None:
    """The server asks, and the client tells its log."""
    talk = call(stage, *ssh_command(key, "-N", "-v"))
    log = stage.folder / "ssh.log"
    # It is set to 2 s, and OpenSSH 9.2 was seen to ask every 4 s where nothing else is said.
    talk.shown = [Shown("server", 4, "periodic", "rtype keepalive@openssh.com", log=log)]


def play(stage: Stage, loss: str | None = None) -> None:
    """All of them, side by side."""
    files = certificate(stage)
    serve_brokers(stage, *files)
    binaries = serve_databases(stage)
    key = serve_ssh(stage, "ClientAliveInterval 2\n")
    websockets(stage)
    inside_tls(stage, files)
    brokers(stage)
    databases(stage, binaries)
    ssh(stage, key)
    if loss is not None:
        stage.router.drop(loss)
    stage.sleep(LASTS_S)
    if loss is not None:
        stage.router.restore()
    stage.sleep(1.5)
    stage.chatter("client", "server")
    packages = ("rabbitmq-server", "nats-server", "mosquitto", "redis-server", "mariadb-server", "postgresql-15",
                "openssh-server", "nodejs", "python3-websockets", "node-ws")  # fmt: skip
    programs.note_versions(stage, *(["dpkg-query", "-W", "-f", VERSION, package] for package in packages))


CHANCE = [f"connections.{number}.client.port" for number in range(16)]
CAPTURE = Capture(publish=publishing.with_secrets, published="capture.pcapng")

SCENARIOS = [
    Scenario(
        name="heartbeats-of-programs",
        title="Servers and clients of ten kinds keep connections alive, each at its own odd period.",
        look_at="Port 8767: WebSocket inside TLS, without its secrets. Port 8883: MQTT inside TLS, with them.",
        play=play,
        capture=CAPTURE,
        chance=CHANCE,
    ),
    Scenario(
        name="heartbeats-of-programs-over-loss",
        title="The same over a path that loses four packets of a hundred.",
        look_at="What was lost was sent again: programs that wait for a reply are late by as much.",
        play=lambda stage: play(stage, LOSS),
        capture=CAPTURE,
        chance=CHANCE,
    ),
]
