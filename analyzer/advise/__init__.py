"""An analysis and candidate settings -> Advice: what these settings would have done."""

from __future__ import annotations

from analyzer.advise.candidates import parse
from analyzer.advise.run import advise

__all__ = ["advise", "parse"]
