"""The stage on which a scenario plays: hosts, clock, connections and the recording."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import endpoints
import publishing
from endpoints import Keepalive, Talk
from kernel import read_counters, read_sockets
from network import ADDRESSES, Namespace, Network, Router, gateway_of
from recorder import Recorder

FIRST_CLIENT_PORT = 40001
DEFAULT_SERVER_PORT = 7000
# Headers are enough, and in a ring with room for whole packets of any device only eight fit.
WITNESS_OPTIONS = ("-s", "256")


@dataclass(frozen=True)
class Capture:
    """Where and how the published recording is made."""

    vantage: str = "client"
    interface: str | None = None
    options: Sequence[str] = ()
    program: str = "tcpdump"
    starts_later: bool = False
    # What turns the recording into the files of the case, and their name or pattern; None: it is published as it is.
    publish: Callable[[Path, Path], None] | None = None
    published: str | None = None
    # What the server's host saw belongs to it, too.
    with_far_end: bool = False
    # Where else it is recorded, and on which interface.
    second: str | None = None
    second_device: str = ""
    # There it begins when the play says so.
    second_later: bool = False
    # How many packets each end sent can be counted: the recording lost none, and has each once.
    counted: bool = False
    # The times of the recording, and so the settings, are published so many times longer than they were.
    stretched: int = 1

    @property
    def device(self) -> str:
        """The interface to listen on."""
        return self.interface or {"client": "c0", "server": "s0", "router": "rc", "both": "lo"}[self.vantage]

    @property
    def file_name(self) -> str:
        """The name that fits the format."""
        return "capture.pcapng" if self.program == "dumpcap" else "capture.pcap"

    @property
    def published_name(self) -> str:
        """The name, or the pattern of the names, in the case's directory."""
        return self.published or self.file_name


@dataclass(frozen=True)
class Scenario:
    """One case: what happens, where it is recorded, and what the recording cannot show."""

    name: str
    title: str
    look_at: str
    play: Callable[["Stage"], None]
    # What must be there before anything is recorded.
    prepare: Callable[["Stage"], None] | None = None
    capture: Capture = Capture()
    offload: bool = False
    single_host: bool = False
    # How long the recording goes on after the last event, so that the last answers are in it.
    settle_s: float = 0.4
    not_shown: Sequence[str] = ()
    # What it shows in the place of the truth, by path: a reader of this recording alone must say so.
    shown_instead: dict[str, str | int] = field(default_factory=dict)
    chance: Sequence[str] = ()
    # Keepalive probes that the script expects, by role, where it can know.
    expected_probes: dict[str, int] = field(default_factory=dict)
    # What a reader must find besides what the verdicts say already.
    findings: Sequence[str] = ()
    # Of what these findings explain, what stands all the same, for other connections.
    standing: Sequence[str] = ()


class Interrupted(Exception):
    """The run was told to stop."""


@dataclass
class Stage:
    """What a scenario's `play` function acts on."""

    scenario: Scenario
    network: Network
    folder: Path
    stopping: threading.Event
    talks: list[Talk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    # Why what is lost between the ends cannot be held against the router's counts, where that is so.
    losses_unknown: str | None = None
    # How many packets the program in the router's place lost.
    lost_by_hand: int = 0
    # How many packets a program on the router made that arrived at an end, in the name of the other.
    made_by_hand: int = 0
    # How long a packet is on its way from one end to the other, where that matters.
    one_way_s: float = 0.0
    closed: threading.Event = field(default_factory=threading.Event)
    captured_from: float = 0.0
    captured_to: float = 0.0
    _began: float = 0.0
    _listeners: dict[tuple[int, int], socket.socket] = field(default_factory=dict)
    _witnesses: list[Recorder] = field(default_factory=list)
    _recorders: list[Recorder] = field(default_factory=list)
    _parts: list[Path] = field(default_factory=list)
    _router: Router | None = None
    _before: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def client(self) -> Namespace:
        """The client's host."""
        return self.network.hosts["client"]

    @property
    def server(self) -> Namespace:
        """The server's host."""
        return self.network.hosts["server"]

    @property
    def router(self) -> Router:
        """The router in the middle."""
        if self._router is None:
            raise RuntimeError("the stage is not open")
        return self._router

    def open(self) -> None:
        """Build the network and begin to watch it from both ends."""
        # On any interface, because tcpdump ends when the one interface that it listens on goes down.
        self.network.build()
        self._router = Router(self.network.hosts.get("router", self.client))
        if not self.network.single_host:
            self._router.prepare()
        if self.scenario.prepare:
            self.scenario.prepare(self)
        devices = {"client": "lo"} if self.network.single_host else {"client": "any", "server": "any"}
        for role, device in devices.items():
            witness = Recorder(self.network.hosts[role], device, self.witness_path(role), WITNESS_OPTIONS)
            witness.start()
            self._witnesses.append(witness)
        if not self.scenario.capture.starts_later:
            self.start_capture()

    def begin(self) -> None:
        """Start the clock of the play."""
        self._began = time.monotonic()

    def witness_path(self, role: str) -> Path:
        """The recording, never published, of all that one end sent and received."""
        return self.folder / f"witness-{'client' if self.network.single_host else role}.pcap"

    def capture_path(self) -> Path:
        """The recording to publish."""
        return self.folder / self.scenario.capture.file_name

    def second_path(self) -> Path:
        """What was recorded at the second place."""
        return self.capture_path().with_stem(publishing.SECOND)

    def start_capture(self) -> None:
        """Begin the published recording; the counters count from here."""
        capture = self.scenario.capture
        role = "client" if capture.vantage == "both" else capture.vantage
        self._record(role, capture.device, self.capture_path())
        if not capture.second_later:
            self.start_second()
        self.captured_from = time.time()
        self._before = self._read_counters()

    def pause_capture(self) -> None:
        """Let the published recording miss what happens from now on."""
        [recorder] = self._recorders
        recorder.stop()
        self._parts.append(recorder.path.rename(recorder.path.with_stem(f"part{len(self._parts)}")))

    def resume_capture(self) -> None:
        """Record again."""
        self._recorders[0].start()

    def start_second(self) -> None:
        """Begin to record at the second place, if there is one."""
        capture = self.scenario.capture
        if capture.second is not None:
            self._record(capture.second, capture.second_device, self.second_path())

    def _record(self, place: str, device: str, path: Path) -> None:
        capture = self.scenario.capture
        recorder = Recorder(self.network.hosts[place], device, path, capture.options, capture.program)
        recorder.start()
        self._recorders.append(recorder)

    def _read_counters(self) -> dict[str, dict[str, int]]:
        return {role: read_counters(host) for role, host in self.network.hosts.items() if role != "router"}

    def finish(self) -> None:
        """Let things settle, take the kernel's last word, and stop recording."""
        self.sleep(self.scenario.settle_s)
        self.captured_to = time.time()
        after = self._read_counters()
        for recorder in self._recorders:
            recorder.stop()
        publishing.join(self._parts, self.capture_path())
        tables = {role: read_sockets(self.network.hosts[role]) for role in ("client", "server")}
        for talk in self.talks:
            talk.note(tables)
        self.counters = {
            role: {name: after[role][name] - self._before[role][name] for name in after[role]} for role in after
        }
        if not self.network.single_host:
            self.dropped = self.router.dropped() | {"the program on the router": self.lost_by_hand}
        for witness in self._witnesses:  # at once, for programs may talk on
            witness.end()
        for witness in self._witnesses:
            witness.stop()

    def addresses(self, role: str) -> set[str]:
        """The addresses of one host."""
        return {address for (owner, _), address in ADDRESSES.items() if owner == role}

    def close(self) -> None:
        """Close what is open and take the network down."""
        self.closed.set()
        for talk in self.talks:
            talk.drop_sockets()
        for listener in self._listeners.values():
            listener.close()
        self.network.remove()

    def until(self, second: float) -> None:
        """Wait for a second of the play."""
        self.sleep(self._began + second - time.monotonic())

    def sleep(self, seconds: float) -> None:
        """Wait, unless the run is stopped."""
        if self.stopping.wait(max(0.0, seconds)):
            raise Interrupted

    def wait_for(self, condition: Callable[[], bool], within: float) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.scenario.name}: nothing within {within} s")
            self.sleep(0.005)

    def chatter(self, *roles: str) -> None:
        """Let the client, or these, send a datagram of no connection, which shows that the recording goes on."""
        for role in roles or ("client",):
            with self.network.hosts[role].entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                datagram.sendto(b"<14>lab: still here", (gateway_of(role, 4), 514))

    def cut_server_link(self) -> None:
        """Take the link behind the router down: packets are lost without a rule that counts them."""
        self.losses_unknown = "a link was down, which counts nothing"
        self.server.run("ip", "link", "set", "s0", "down")

    def translate(self, seconds: int) -> None:
        """Put a NAT between the hosts that forgets idle connections."""
        self.losses_unknown = "the server's side of a NAT has other addresses"
        self.router.translate(seconds)

    def note(self, text: str) -> None:
        """Put a sentence about how it was made into the README."""
        self.notes.append(text)

    def new_talk(self, family: int = 4, server_port: int = DEFAULT_SERVER_PORT, client_port: int | None = None) -> Talk:
        """A connection with the next free client port, not made yet."""
        port = client_port or FIRST_CLIENT_PORT + len(self.talks)
        talk = endpoints.new_talk(self.network.hosts, family, (port, server_port), self.network.single_host)
        self.talks.append(talk)
        return talk

    def listen(
        self, talk: Talk, family: int = 4, receive_buffer: int | None = None, protocol: int = 0
    ) -> socket.socket:
        """The listener that a connection will meet; made once per port."""
        key = (family, talk.server.address[1])
        if key not in self._listeners:
            self._listeners[key] = endpoints.open_listener(
                self.server, talk.server.address, family, receive_buffer, protocol
            )
        return self._listeners[key]

    def connect(
        self,
        client: Keepalive | None = None,
        server: Keepalive | None = None,
        *,
        family: int = 4,
        server_port: int = DEFAULT_SERVER_PORT,
        client_port: int | None = None,
        receive_buffer: int | None = None,
        protocol: int = 0,
        prepare: Callable[[socket.socket, tuple[str, int]], None] | None = None,
    ) -> Talk:
        """Make a connection from client to server, with keepalive as given; `prepare` gets each socket and its peer."""
        talk = self.new_talk(family, server_port, client_port)
        listener = self.listen(talk, family, receive_buffer, protocol)
        sock = endpoints.open_client(self.client, talk.client.address, family, protocol)
        talk.client.handle = sock
        if prepare:
            prepare(listener, talk.server.peer)
            prepare(sock, talk.client.peer)
        if client:
            talk.client.set_keepalive(client)
        talk.opened = time.time()
        sock.connect(talk.client.peer)
        talk.server.handle, _ = listener.accept()
        talk.server.sock.settimeout(endpoints.SO_ERROR_WAIT_S)
        talk.server.peer = talk.server.sock.getpeername()[:2]
        if server:
            talk.server.set_keepalive(server)
        return talk

    def beyond_nat(self, talk: Talk) -> Talk:
        """The same connection as it is behind the NAT, told beside it; it is open and well."""
        far = replace(
            talk,
            client=replace(talk.client, address=talk.server.peer, handle=None, state="ESTABLISHED"),
            server=replace(talk.server, handle=None),
            translated=True,
        )
        self.talks.append(far)
        return far

    def connect_both(self, client: Keepalive, family: int = 4) -> Talk:
        """Make a connection that both ends open, neither having heard of the other's SYN."""
        talk = self.new_talk(family)
        talk.handshake = "simultaneous"
        talk.opened = time.time()
        for end in (talk.client, talk.server):
            end.handle = endpoints.open_client(end.namespace, end.address, family)
            end.sock.setblocking(False)
        for end in (talk.client, talk.server):
            end.sock.connect_ex(end.peer)
        self.sleep(1)
        for end in (talk.client, talk.server):
            end.sock.settimeout(endpoints.SO_ERROR_WAIT_S)
        talk.client.set_keepalive(client)
        return talk

    def try_connect(self, talk: Talk, patience: float, family: int = 4) -> None:
        """Try to make a connection that will not be made."""
        sock = endpoints.open_client(self.client, talk.client.address, family)
        talk.client.handle = sock
        sock.settimeout(patience)
        talk.opened = time.time()
        try:
            sock.connect(talk.client.peer)
        except OSError as error:
            talk.client.error = error.errno or 0
