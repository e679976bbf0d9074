"""How far a scan has come: files, bytes, packets a second and the time left, on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.fleet.work import Progress

# Of the whole, the share that each stage takes as a rule; a scan of few large connections has less to write.
STAGES = {"reading": (0.0, 0.6), "tracking": (0.6, 0.3), "writing": (0.9, 0.1)}
WHOLE = 1000
SHOWN_AFTER_S = 1.0


@contextlib.contextmanager
def scan_bar(wanted: bool | None, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Tells how far a scan has come, once it has lasted a second, on a terminal or when asked for."""
    if wanted is False or (wanted is None and (quiet or not sys.stderr.isatty())):
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeRemainingColumn(compact=True))
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=WHOLE)
    began = time.monotonic()

    def tell(progress: Progress) -> None:
        start, share = STAGES[progress.stage]
        done = progress.done / progress.of if progress.of else 1.0
        bar.update(task, description=described(progress), completed=round(WHOLE * (start + share * done)))
        if not bar.live.is_started and time.monotonic() - began > SHOWN_AFTER_S:
            bar.start()

    try:
        yield tell
    finally:
        bar.stop()


def described(progress: Progress) -> str:
    """`reading 12/200 files, 1.2 of 20.1 GB, 3.4 M packets/s`."""
    if progress.stage != "reading":
        return f"{progress.stage} {progress.done:,}/{progress.of:,}"
    rate = progress.packets / progress.seconds / 1e6 if progress.seconds else 0.0
    octets, of_octets = progress.octets / 1e9, progress.of_octets / 1e9
    files = f"{progress.done:,}/{progress.of:,} files"
    return f"{progress.stage} {files}, {octets:.1f} of {of_octets:.1f} GB, {rate:.1f} M packets/s"
