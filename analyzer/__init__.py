"""Which TCP connections of a capture were alive, which were dead, and who knew."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.analysis import Analysis
    from analyzer.errors import AnalyzerError, CaptureError, UsageError
    from analyzer.pipeline.run import analyze
    from analyzer.version import __version__

__all__ = ["Analysis", "AnalyzerError", "CaptureError", "UsageError", "__version__", "analyze"]

_HOMES = {
    "Analysis": "analyzer.analysis",
    "AnalyzerError": "analyzer.errors",
    "CaptureError": "analyzer.errors",
    "UsageError": "analyzer.errors",
    "__version__": "analyzer.version",
    "analyze": "analyzer.pipeline.run",
}


def __getattr__(name: str) -> Any:
    """Each name is imported when it is asked for: `keepalive --help` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    """What there is, imported or not."""
    return sorted({*globals(), *__all__})
