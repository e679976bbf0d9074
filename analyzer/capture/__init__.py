"""A path, a pipe or an interface becomes a stream of Records; formats are recognised by content, nothing is sought."""

from __future__ import annotations

from analyzer.capture.files import expand
from analyzer.capture.reader import Reader, open_capture
from analyzer.capture.source import Source, standard_input

__all__ = ["Reader", "Source", "expand", "open_capture", "standard_input"]
