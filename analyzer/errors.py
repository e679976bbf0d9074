"""The two errors that leave this library: yours (`UsageError`) and the capture's (`CaptureError`)."""

from __future__ import annotations


class AnalyzerError(Exception):
    """Base of both errors; anything else that escapes is a defect of this library."""


class UsageError(AnalyzerError):
    """The call cannot be carried out as it was made: a wrong option, a file that cannot be written."""


class CaptureError(AnalyzerError):
    """The bytes cannot be read as a capture from `offset` on; what stood before it has been understood.

    Without an offset it is not about bytes: a file that cannot be opened, an interface that is not there.
    """

    def __init__(self, reason: str, *, path: str = "", offset: int | None = None) -> None:
        self.reason = reason
        self.path = path
        self.offset = offset or 0
        place = [] if offset is None else [f"byte {offset}"]
        super().__init__(": ".join([*([path] if path else []), *place, reason]))


class OutputError(Exception):
    """The result could not be written."""
