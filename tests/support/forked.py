"""Commands as processes of their own, without the start of an interpreter and its imports: those take most of the time.

Each is forked from one process that has imported the analyzer and done nothing else. Streams, environment, directory
and umask are those of who asks for it, it ends as an interpreter ends, and nothing of it is left for the next one.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

LONGEST_S = 120
NUMBER = struct.Struct("i")
MOST_OCTETS = 1 << 17  # of a request
OURS = ("analyzer.cli", "analyzer.pipeline.run", "analyzer.live.session", "analyzer.kernels.engine.library")
OF_OTHERS = ("rich.progress", "jinja2", "matplotlib.figure", "matplotlib.backends.backend_agg")


class Forks:
    """The process that commands are forked from, one at a time."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._wire, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.fileno()
        alone = {**environment, "OPENBLAS_NUM_THREADS": "1"}  # what has threads is not to be forked
        self._process = subprocess.Popen([sys.executable, __file__, str(number)], pass_fds=[number], env=alone)
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        self._wire.close()
        self._process.wait()

    def run(
        self, arguments: Sequence[str], stdin: bytes, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end."""
        umask = os.umask(0)
        os.umask(umask)
        request = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd()), "umask": umask}
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            socket.send_fds(self._wire, [json.dumps(request).encode()], [reading, out.fileno(), err.fileno()])
            os.close(reading)
            feeder = threading.Thread(target=_feed, args=(writing, stdin))
            feeder.start()
            status = self._status()
            feeder.join()
            for stream in (out, err):
                stream.seek(0)
            return subprocess.CompletedProcess(list(arguments), status, out.read(), err.read())

    def _status(self) -> int:
        """What the process has ended with; it is killed when that takes too long."""
        [process] = NUMBER.unpack(self._wire.recv(NUMBER.size))
        late = not select.select([self._wire], [], [], LONGEST_S)[0]
        if late:
            os.kill(process, signal.SIGKILL)
        [status] = NUMBER.unpack(self._wire.recv(NUMBER.size))
        if late:
            raise TimeoutError(f"a command has not ended after {LONGEST_S} s")
        return int(status)


def _feed(pipe: int, octets: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as stream:
        while octets:
            octets = octets[stream.write(octets) :]


# -- the process that they are forked from


def serve(wire: socket.socket) -> bool:
    """Fork a process for each request; True in each of them, False here, in the end."""
    while True:
        octets, fds, _, _ = socket.recv_fds(wire, MOST_OCTETS, 3)
        if not octets:
            return False
        process = os.fork()
        if not process:
            _become(json.loads(octets), fds)
            return True
        for descriptor in fds:
            os.close(descriptor)
        wire.send(NUMBER.pack(process))
        _, status = os.waitpid(process, 0)
        wire.send(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _become(request: dict[str, Any], fds: list[int]) -> None:
    """What a process of this request would find at its start."""
    for number, descriptor in enumerate(fds):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = map(_anew, (sys.stdin, sys.stdout, sys.stderr), "rww")
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[1:] = request["arguments"]


def _anew(stream: TextIO, mode: str) -> TextIO:
    """The standard stream with nothing in it, for what its descriptor is now."""
    return open(stream.fileno(), mode, encoding=stream.encoding, errors=stream.errors, closefd=False)  # type: ignore[return-value]


def main() -> None:
    from analyzer.live.preload import MODULES

    for name in (*OURS, *OF_OTHERS, *MODULES):
        import_module(name)
    gc.freeze()  # or the end of each process would look for garbage in all that
    with socket.socket(fileno=int(sys.argv[1])) as wire:
        try:
            wanted = serve(wire)
        except KeyboardInterrupt:
            return
    if wanted:
        runpy.run_module("analyzer", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
