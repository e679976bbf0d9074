"""A path or a pipe becomes a stream of Records; the format is recognised by content, and nothing is ever sought."""

from __future__ import annotations

from analyzer.capture.files import expand
from analyzer.capture.reader import Reader, open_capture

__all__ = ["Reader", "expand", "open_capture"]
