"""Which TCP connections of a capture were alive, which were dead, and who knew."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.errors import AnalyzerError, CaptureError, UsageError
from analyzer.pipeline.run import analyze
from analyzer.version import __version__

__all__ = ["Analysis", "AnalyzerError", "CaptureError", "UsageError", "__version__", "analyze"]
