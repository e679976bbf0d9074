"""Go programs at both ends: a dialer with a keepalive of its own, and the defaults of net/http."""

import programs
from network import ADDRESSES
from stage import Scenario, Stage

SERVER = ADDRESSES["server", 4]


def run_pair(stage: Stage, count: int, client: str, server: str, port: int, *arguments: str) -> None:
    """Start a server and its client, and take on the connections that they make."""
    binaries = {name: str(programs.build_go(name, stage.folder)) for name in (client, server)}
    programs.serve(stage, port, binaries[server], f"{SERVER}:{port}")
    asking = programs.start(stage, "client", binaries[client], *arguments)
    talks = programs.adopt(stage, count)
    stage.wait_for(lambda: asking.poll() is not None, within=90)
    for talk in talks:
        talk.outcome("closed", "fin", "client")
    stage.note(f"The sources are {client}.go and {server}.go in `captures/lab/programs/`.")
    programs.note_versions(stage, ["go", "version"])


def play_dialer(stage: Stage) -> None:
    """One line, one reply, and half a minute of silence."""
    run_pair(stage, 1, "dialer", "echo_server", 7000, f"{SERVER}:7000", "33s")


def play_http(stage: Stage) -> None:
    """Three requests in 67 s over two connections."""
    run_pair(stage, 2, "http_client", "http_server", 8080, f"http://{SERVER}:8080/")


DIALER = Scenario(
    name="go-dialer",
    title=("A Go client with net.Dialer{KeepAlive: 7 * time.Second} and a Go server from net.Listen, idle for 33 s."),
    look_at=(
        "Before Go 1.23 the one period sets both idle time and interval; the count of 9 is the kernel's. "
        "The client probes every 7 s; the server, with Go's default of 15 s for accepted connections, "
        "probes too."
    ),
    play=play_dialer,
    chance=["connections.0.client.port"],
)

HTTP = Scenario(
    name="go-http-transport",
    title=("A Go client with http.DefaultTransport keeps two connections to a Go net/http server, mostly idle."),
    look_at=(
        "The server probes every 15 s, by the default of net.ListenConfig; the client's first probe comes "
        "after 30 s, by http.DefaultTransport. Neither side had to ask for it. One connection carries a "
        "second request at 33 s."
    ),
    play=play_http,
    chance=["connections.0.client.port", "connections.1.client.port"],
)

SCENARIOS = [DIALER, HTTP]
