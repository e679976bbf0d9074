"""After a rehearsal: live analyses of captures with nothing loaded or read that lies in an installation.

    python tests/unreadable.py FORMAT CAPTURE...

Prints for each capture whether the result is the same as with all of it readable.
"""

from __future__ import annotations

import hashlib
import io
import sys
from functools import partial
from pathlib import Path
from typing import Any

import analyzer
from analyzer.inputs import OfOthers
from analyzer.kernels import plain
from analyzer.live import Live
from analyzer.live_command import _tell_events, _tell_result
from analyzer.rehearsal import rehearse
from analyzer.result import Format

CLOSED = tuple(str(Path(folder).resolve()) for folder in (sys.prefix, sys.base_prefix, Path(analyzer.__file__).parent))


class File(OfOthers):
    def __init__(self, path: str) -> None:
        self.output: Any = Path(path).open("rb", buffering=0)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self.output.close()


def deny(event: str, arguments: tuple[Any, ...]) -> None:
    """As the system does for who may not enter the folders above."""
    if event == "import" and arguments[0] not in sys.modules:
        raise PermissionError(f"import of {arguments[0]}")
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(CLOSED):
        raise PermissionError(f"open of {arguments[0]}")


def result(path: str, form: Format) -> str:
    out = io.StringIO()
    run = Live(plain(), idle_after=10**10, notify=lambda text: None, most=2)
    try:
        _tell_events(run, out, form=form, utc=False)
        run.intake.read("standard input", File(path))
        run.run()
        _tell_result(run.finish(), out, form=form, limit=0, utc=False, color=False)
    finally:
        run.close()
    return hashlib.sha256(out.getvalue().encode()).hexdigest()


def main() -> None:
    form, paths = Format(sys.argv[1]), sys.argv[2:]
    if "--open" not in paths:
        tell, tell_result = partial(_tell_events, form=form, utc=False), partial(_tell_result, form=form, limit=0, utc=False, color=False)
        rehearse(plain(), tell, tell_result, io.StringIO())
        sys.addaudithook(deny)
    for path in paths:
        if path != "--open":
            print(path, result(path, form))


if __name__ == "__main__":
    main()
