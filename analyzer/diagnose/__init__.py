"""Facts -> a verdict for every connection, and findings with their evidence."""

from __future__ import annotations

from analyzer.diagnose.context import Context
from analyzer.diagnose.registry import RULES, Rule, find, is_survey, load_rules
from analyzer.diagnose.unprobed import USUAL_NS, overdue, silences
from analyzer.diagnose.verdicts import VERDICTS, Verdict, judge

__all__ = [
    "RULES",
    "USUAL_NS",
    "VERDICTS",
    "Context",
    "Rule",
    "Verdict",
    "find",
    "is_survey",
    "judge",
    "load_rules",
    "overdue",
    "silences",
]
