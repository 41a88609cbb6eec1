"""How it is written what is to be redacted: names of variables, and patterns between slashes."""

import re
from collections.abc import Collection, Iterable
from typing import Any

from nova_async.redaction.pattern import Pattern

__all__ = ["check_rule", "check_rules", "is_pattern", "matching"]

NAME = re.compile(r"[A-Za-z0-9_*]*[A-Za-z0-9_][A-Za-z0-9_*]*")


def is_pattern(rule: str) -> bool:
    """Tell whether a rule is a pattern: ``/sk-[a-z]{20,}/``."""
    return len(rule) > 1 and rule.startswith("/") and rule.endswith("/")


def check_rule(rule: str) -> str:
    """Return a rule as it is.

    Raises ``ValueError`` for one that is neither the name of a variable nor a pattern that can be matched in a stream.
    """
    if is_pattern(rule):
        Pattern(rule[1:-1])
    elif not NAME.fullmatch(rule):
        raise ValueError(
            f"{rule!r} is neither the name of a variable, such as API_KEY or GH_*, nor a pattern between slashes, "
            "such as /sk-[A-Za-z0-9]{20,}/"
        )
    return rule


def check_rules(rules: Any) -> tuple[str, ...]:
    """Return the rules that somebody has given.

    Raises ``TypeError`` for what is no list of strings, and ``ValueError`` for a rule that is none.
    """
    is_list = isinstance(rules, Collection) and not isinstance(rules, str | bytes)
    if not is_list or not all(isinstance(rule, str) for rule in rules):
        raise TypeError(f"redact must be a list of strings, not {type(rules).__name__}: write redact=['API_KEY']")
    return tuple(map(check_rule, rules))


def matching(rule: str, names: Iterable[str]) -> list[str]:
    """Return those of the names of variables that a rule means; ``*`` stands for any number of characters."""
    pattern = re.compile(".*".join(map(re.escape, rule.split("*"))), re.DOTALL)
    return [name for name in names if pattern.fullmatch(name)]
