"""Which TCP connections of a capture were alive, which were dead, and who knew."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.errors import AnalyzerError, CaptureError, UsageError
from analyzer.pipeline.run import analyze

__version__ = "0.1.0"
__all__ = ["Analysis", "AnalyzerError", "CaptureError", "UsageError", "analyze"]
