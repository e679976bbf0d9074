"""The two errors that leave this library: yours (`UsageError`) and the capture's (`CaptureError`)."""

from __future__ import annotations


class AnalyzerError(Exception):
    """Base of both errors; anything else that escapes is a defect of this library."""


class UsageError(AnalyzerError):
    """The call cannot be carried out as it was made: a wrong option, a file that cannot be written."""


class CaptureError(AnalyzerError):
    """The bytes cannot be read as a capture from `offset` on; what stood before it has been understood."""

    def __init__(self, reason: str, *, path: str = "", offset: int = 0) -> None:
        self.reason = reason
        self.path = path
        self.offset = offset
        super().__init__(f"{path}: byte {offset}: {reason}" if path else f"byte {offset}: {reason}")


class OutputError(Exception):
    """The result could not be written."""
