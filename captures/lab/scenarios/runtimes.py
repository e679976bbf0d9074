"""Sockets of programs in Python, JavaScript and Java, of curl and of gRPC."""

import programs
from network import ADDRESSES
from stage import Scenario, Stage

SERVER = ADDRESSES["server", 4]
PYTHON = "python3"
DEBIAN_PYTHON = "/usr/bin/python3"
NODE = "node"
VARIES = ["connections.0.client.port"]


def source(name: str) -> str:
    """The path of one of the lab's own programs."""
    return str(programs.SOURCES / name)


def python(stage: Stage) -> None:
    """The server falls silent while the client waits."""
    programs.serve(stage, 8000, PYTHON, source("slow_server.py"), SERVER, "8000", "0.1")
    programs.start(stage, "client", PYTHON, source("idle_client.py"), SERVER, "8000", "60", "5", "2", "4")
    [talk] = programs.adopt(stage, 1)
    stage.router.silence("server")
    stage.until(16.5)
    programs.note_versions(stage, [PYTHON, "--version"])
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def node_socket(stage: Stage) -> None:
    """The server falls silent; Node asks ten times."""
    programs.serve(stage, 8000, NODE, source("node_server.js"), SERVER, "8000")
    programs.start(stage, "client", NODE, source("node_client.js"), SERVER, "8000", "60000", "6000")
    [talk] = programs.adopt(stage, 1)
    stage.router.silence("server")
    stage.until(20)
    programs.note_versions(stage, [NODE, "--version"])
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def node_agent(stage: Stage) -> None:
    """The agent keeps the connection, until the server's keepAliveTimeout closes it."""
    programs.serve(stage, 8001, NODE, source("node_server.js"), SERVER, "8000")
    programs.start(stage, "client", NODE, source("node_agent.js"), SERVER, "8001")
    [talk] = programs.adopt(stage, 1)
    stage.until(8)
    programs.note_versions(stage, [NODE, "--version"])
    talk.outcome("closed", "fin", "server")


def java(stage: Stage) -> None:
    """Answered probes, then silence at the other end."""
    programs.serve(stage, 8000, PYTHON, source("slow_server.py"), SERVER, "8000", "0.1")
    settings = ("7", "3", "2")
    programs.start(stage, "client", "java", source("IdleClient.java"), SERVER, "8000", "60", *settings)
    [talk] = programs.adopt(stage, 1)
    stage.sleep(8)
    stage.router.silence("server")
    stage.sleep(14.5)
    programs.note_versions(stage, ["java", "--version"])
    talk.outcome("dead_peer", "rst", "client", "keepalive_exhausted")


def curl(stage: Stage) -> None:
    """The response takes 17 s."""
    programs.serve(stage, 8000, PYTHON, source("slow_server.py"), SERVER, "8000", "17")
    asking = programs.start(stage, "client", "curl", "-s", "--keepalive-time", "5", f"http://{SERVER}:8000/")
    [talk] = programs.adopt(stage, 1)
    stage.wait_for(lambda: asking.poll() is not None, within=30)
    programs.note_versions(stage, ["curl", "--version"])
    talk.outcome("closed", "fin", "client")


def grpc(stage: Stage) -> None:
    """The client sends PINGs while no call is open; the server permits one every two hours then.

    Debian's own Python is asked, for its package of gRPC.
    """
    programs.serve(stage, 50051, DEBIAN_PYTHON, source("grpc_pings.py"), "serve", SERVER, "50051")
    programs.start(stage, "client", DEBIAN_PYTHON, source("grpc_pings.py"), "call", SERVER, "50051", "30")
    [talk] = programs.adopt(stage, 1)
    stage.sleep(28)
    programs.note_versions(stage, ["dpkg-query", "-W", "python3-grpcio"])
    talk.outcome("closed", "fin", "server")


SCENARIOS = [
    Scenario(
        name="python-socket",
        title="A Python client that set 5 s, 2 s and 4 probes on its socket; the server falls silent.",
        look_at="Four probes, and RST,ACK an interval later.",
        play=python,
        chance=VARIES,
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="node-socket",
        title="Node's socket.setKeepAlive(true, 6000): the server falls silent.",
        look_at="6 s to the first probe, then one a second: libuv sets interval 1 s and count 10 itself.",
        play=node_socket,
        chance=VARIES,
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="node-agent",
        title="Node's http.Agent with keepAlive, and a Node server: everything by default.",
        look_at="Probes every second (keepAliveMsecs) until the server, after its keepAliveTimeout of 5 s, closes.",
        play=node_agent,
        chance=VARIES,
    ),
    Scenario(
        name="java-socket",
        title="A Java client that set 7 s, 3 s and 2 probes by jdk.net.ExtendedSocketOptions; the server falls silent.",
        look_at="An answered probe, two that are not, and RST,ACK.",
        play=java,
        chance=VARIES,
        not_shown=["connections.0.state.server"],
    ),
    Scenario(
        name="curl",
        title="curl --keepalive-time 5 waits for a response that takes 17 s.",
        look_at="One value is idle time and interval; curl's default of 60 s would show nothing here.",
        play=curl,
        chance=VARIES,
    ),
    Scenario(
        name="grpc",
        title="A gRPC client with a keepalive time of 2 s, idle, and a server that has enough of its PINGs.",
        look_at="PINGs about 5 s apart, and answers; with the last one GOAWAY, ENHANCE_YOUR_CALM, too_many_pings.",
        play=grpc,
        chance=VARIES,
        findings=["too-many-pings"],
    ),
]
