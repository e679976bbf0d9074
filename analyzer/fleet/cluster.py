"""Workers that Dask has: processes of this machine, or those of a scheduler that runs somewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.errors import UsageError
from analyzer.fleet.folder import Folder
from analyzer.fleet.places import NEEDED
from analyzer.fleet.work import One, Other
from analyzer.pipeline.run import processors

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 15  # a scheduler that is there answers sooner
MEMORY = 1 << 30
DASHBOARD = "127.0.0.1:0"  # for this machine alone, on whatever port is free


class Cluster:
    """The workers of a scheduler; see `work.Workers`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        known = client.scheduler_info(n_workers=-1)["workers"].values()
        self.count = sum(int(one["nthreads"]) for one in known)
        limits = [int(one["memory_limit"] or MEMORY) // int(one["nthreads"]) for one in known]
        self.memory = min(limits, default=MEMORY)

    @property
    def dashboard(self) -> str:
        """Where Dask shows what its workers do; empty where it cannot (bokeh is not installed)."""
        return str(self._client.dashboard_link or "")

    def pids(self) -> list[int]:
        """The process of each worker."""
        return list(self._client.run(os.getpid).values())

    def peaks(self) -> list[int]:
        """The highest resident set of each worker so far, in bytes; 0 where nobody says that."""
        return list(self._client.run(_peak).values())

    def each(
        self, work: Callable[[One], Other], tasks: Sequence[One], name: str
    ) -> Iterator[tuple[int, Other | Exception]]:
        """See `work.Workers`; what a worker that died had to do, another one does."""
        from distributed import as_completed
        from distributed.client import Future

        futures: list[Future] = self._client.map(work, tasks, key=f"{name}-{id(tasks):x}", pure=False, batch_size=100)
        places = {future.key: place for place, future in enumerate(futures)}
        try:
            for future in as_completed(futures, loop=self._client.loop):
                error = future.exception()
                yield places[future.key], future.result() if error is None else error
        finally:
            self._client.cancel(futures)

    def check_sees(self, folder: Folder, name: str) -> None:
        """Raise UsageError where a worker does not see this file of a directory: it lies on another machine."""
        seen = self._client.run(_exists, folder, name)
        blind = [worker for worker, sees in seen.items() if not sees]
        if blind:
            raise UsageError(
                f"{folder.address} is not the same directory on {', '.join(blind)}: name one that all workers see"
            )


def _peak() -> int:
    """The highest resident set of this process; getrusage(2) would count that of whoever started it, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _exists(folder: Folder, name: str) -> bool:
    return folder.exists(name)


@contextlib.contextmanager
def cluster(scheduler: str | None, workers: int | None, memory: str | None) -> Iterator[Cluster]:
    """Workers of the scheduler at this address, or some of this machine: one for each processor, of so much memory.

    Raises UsageError where Dask is not installed, and where there is no such scheduler or it has no worker.
    """
    try:
        from dask.utils import parse_bytes
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UsageError(NEEDED) from error
    with contextlib.ExitStack() as stack:
        if scheduler is not None:
            try:
                client = stack.enter_context(Client(scheduler, timeout=CONNECT_S, set_as_default=False))
            except (OSError, TimeoutError, ValueError) as error:
                raise UsageError(f"--scheduler {scheduler}: no scheduler answers there ({error})") from error
        else:
            try:
                limit: Any = MEMORY if memory is None else parse_bytes(memory)
            except ValueError as error:
                raise UsageError(f"--memory {memory}: {error}") from error
            with _not_interrupted():
                made = LocalCluster(
                    n_workers=workers or processors(),
                    threads_per_worker=1,
                    memory_limit=limit,
                    dashboard_address=DASHBOARD,
                    silence_logs=logging.CRITICAL,
                    protocol="tcp",
                    host="127.0.0.1",
                )
            client = stack.enter_context(Client(stack.enter_context(made), set_as_default=False))
        ours = Cluster(client)
        if not ours.count:
            raise UsageError(f"--scheduler {scheduler}: it has no worker")
        yield ours


@contextlib.contextmanager
def _not_interrupted() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to this one, which ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
