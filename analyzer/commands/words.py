"""Words that a user types: verdicts, rules, topics; `dead-peer`, `dead_peer` and `Dead-Peer` are one word."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.errors import UsageError


def known_word(given: str, known: Iterable[str], option: str, where: str) -> str:
    """The known word that is meant; raises UsageError, with the nearest one and `where` all of them are listed."""
    words = {_plain(word): word for word in known}
    if word := words.get(_plain(given)):
        return word
    import difflib

    near = difflib.get_close_matches(_plain(given), words, n=1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    raise UsageError(f"{option}{given}: unknown word; {meant}`keepalive explain{where}` lists them")


def verdict_word(given: str) -> str:
    """The verdict that `--verdict` names."""
    return known_word(given, verdict_words(), "--verdict ", " verdicts")


def rule_name(given: str, option: str) -> str:
    """The rule that an option names."""
    return known_word(given, rule_names(), f"{option} ", "")


def verdict_words() -> list[str]:
    """All verdicts."""
    from analyzer.diagnose import VERDICTS

    return [verdict.word for verdict in VERDICTS]


def rule_names() -> list[str]:
    """All rules."""
    from analyzer.diagnose import load_rules

    return list(load_rules())


def _plain(word: str) -> str:
    return word.strip().lower().replace("_", "-")


def completed(incomplete: str, words: Iterable[str]) -> list[str]:
    """What a shell offers for the beginning of one of these words."""
    return [word for word in dict.fromkeys(map(_plain, words)) if word.startswith(_plain(incomplete))]


def complete_verdict(incomplete: str) -> list[str]:
    """The verdicts that begin so."""
    return completed(incomplete, verdict_words())


def complete_rule(incomplete: str) -> list[str]:
    """The rules that begin so."""
    return completed(incomplete, rule_names())
