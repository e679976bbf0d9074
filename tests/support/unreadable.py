"""After `preload`: live analyses of captures with nothing loaded or read that lies in an installation.

    python tests/support/unreadable.py CAPTURE... [--open | --unloaded]

Prints a digest of each capture's result in each form; with --open those of a process to which everything is open.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import analyzer
from analyzer.commands.live import Form, _tell_events, _tell_result
from analyzer.host import Snapshot, take_snapshot
from analyzer.kernels import plain
from analyzer.live.host_sockets import HostSockets
from analyzer.live.listeners import Only
from analyzer.live.preload import preload
from analyzer.live.session import Live
from analyzer.live.sources import OfOthers
from analyzer.model.flows import Endpoint
from analyzer.model.sockets import Socket, Timer
from analyzer.tcp import State

FORMS = list(Form)
CLOSED = tuple(str(Path(folder).resolve()) for folder in (sys.prefix, sys.base_prefix, Path(analyzer.__file__).parent))


class File(OfOthers):
    def __init__(self, path: str) -> None:
        self.output: Any = Path(path).open("rb", buffering=0)  # noqa: SIM115

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self.output.close()


def deny(event: str, arguments: tuple[Any, ...]) -> None:
    """As the system does for who may not enter the directories above."""
    if event == "import" and arguments[0] not in sys.modules:
        raise PermissionError(f"import of {arguments[0]}")
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(CLOSED):
        raise PermissionError(f"open of {arguments[0]}")


def sockets() -> Snapshot:
    """This host is asked, and has one more: that of a client in some recordings."""
    ends = Endpoint("192.0.2.10", 40001), Endpoint("198.51.100.20", 7000)
    take_snapshot()
    return Snapshot(0.0, [Socket(*ends, State.ESTABLISHED, Timer.KEEPALIVE, 5.0)])


def results(path: str) -> Iterator[str]:
    """One analysis, whose events and result are told in every form."""
    run = Live(plain(), idle_after=10**10, notify=lambda text: None, most=2)
    run.sockets = HostSockets(lambda text: None, sockets)
    try:
        for form in FORMS:
            _tell_events(run, io.StringIO(), form=form, only=Only.all, utc=False, color=False)
        run.intake.read("standard input", File(path))
        run.run()
        analysis = run.finish()
        for form in FORMS:
            out = io.StringIO()
            _tell_result(analysis, out, form=form, drawn=False, limit=0, utc=False, color=False)
            yield f"{form} {hashlib.sha256(out.getvalue().encode()).hexdigest()}"
    finally:
        run.close()


def main() -> None:
    if not {"--open", "--unloaded"} & set(sys.argv):
        preload()
    if "--open" not in sys.argv:
        sys.addaudithook(deny)
    for path in sys.argv[1:]:
        if not path.startswith("--"):
            for line in results(path):
                print(path, line)


if __name__ == "__main__":
    main()
