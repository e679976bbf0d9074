"""HTTP/2, gRPC, SSH and MQTT ping at odd periods over a path that loses packets; two subscribers are stopped."""

import programs
from endpoints import Shown
from network import ADDRESSES
from stage import Scenario, Stage

from scenarios.heartbeats_of_programs import LOSS, NODE, PYTHON, VERSION, call, source
from scenarios.servers import serve_ssh, ssh_command, write

SERVER = ADDRESSES["server", 4]
STOPPED_AFTER_S, LASTS_S = 24.0, 45.0
SIGSTOP = 19
HTTP2_PING, HTTP2_PONG = (f"http2.type == 6 and http2.flags.ack.ping == {ack}" for ack in (0, 1))
MQTT = ("mqtt", "mqtt.msgtype == 12", "mqtt.msgtype == 13")
# Whoever waits for a reply is late by the 0.2 s in which what was lost is sent again: of few in 5 s that is a share.
ONE_IS_LATE = 0.05
ASKED = "rtype keepalive@openssh.com"


def http2(stage: Stage) -> None:
    """Node.js and gRPC, of each a client that pings and a server that does."""
    plans = (
        ("client", 1.7, 8080, NODE, "http2_pings.js"),
        ("server", 2.3, 8081, NODE, "http2_pings.js"),
        ("client", 1.9, 50051, PYTHON, "grpc_watch.py"),
        ("server", 2.9, 50052, PYTHON, "grpc_watch.py"),
    )
    for sender, period, port, runtime, name in plans:
        every = {"client": "0", "server": "0"} | {sender: str(round(period * 1000))}
        programs.serve(stage, port, runtime, source(name), "serve", SERVER, str(port), every["server"])
        talk = call(stage, runtime, source(name), "call", SERVER, str(port), every["client"])
        options = ("-d", f"tcp.port=={port},http2")
        talk.shown = [Shown(sender, period, "http2", HTTP2_PING, HTTP2_PONG, options)]


def ssh(stage: Stage) -> None:
    """The client asks, and the server tells its log."""
    key = serve_ssh(stage, "LogLevel DEBUG\n")
    talk = call(stage, *ssh_command(key, "-N", ServerAliveInterval="3"))
    talk.shown = [Shown("client", 3, "periodic", ASKED, log=stage.folder / "sshd.log")]


def play(stage: Stage) -> None:
    """All of them, side by side; the broker closes what has been silent for more than 1.5 keepalives."""
    http2(stage)
    ssh(stage)
    config = write(stage, "mosquitto.conf", f"listener 1883 {SERVER}\nallow_anonymous true\n")
    programs.serve(stage, 1883, "mosquitto", "-c", config)
    paused = []
    for period, command in (
        (5, (PYTHON, source("paho_idle.py"), SERVER, "1883", "5")),
        (7, ("mosquitto_sub", "-h", SERVER, "-k", "7", "-t", "lab", "-i", "lab")),
    ):
        paused.append(programs.start(stage, "client", *command))
        [talk] = programs.adopt(stage, 1)
        talk.shown = [Shown("client", period, *MQTT, jitter=ONE_IS_LATE)]
        talk.outcome("close_wait_leak", "half_closed", "server")  # what is stopped does not close
    stage.router.drop(LOSS)
    stage.sleep(STOPPED_AFTER_S)
    for process in paused:
        process.send_signal(SIGSTOP)
    stage.sleep(LASTS_S - STOPPED_AFTER_S)
    stage.router.restore()
    stage.sleep(1.5)
    stage.chatter("client", "server")
    packages = ("nodejs", "python3-grpcio", "openssh-server", "mosquitto", "mosquitto-clients", "python3-paho-mqtt")
    programs.note_versions(stage, *(["dpkg-query", "-W", "-f", VERSION, package] for package in packages))


SCENARIO = Scenario(
    name="pings-over-loss",
    findings=["heartbeat-missed"],
    title="HTTP/2, gRPC, SSH and MQTT ping over a path that loses four packets of a hundred; two subscribers stop.",
    look_at="Port 1883: 1.5 keepalives of silence or more, then the broker's FIN, and an ACK from a kernel alone.",
    play=play,
    chance=[f"connections.{number}.client.port" for number in range(7)],
)
