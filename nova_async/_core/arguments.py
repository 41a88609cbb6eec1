"""Refusing what a caller cannot have meant, with a sentence that says what to write instead."""

import math
from typing import Any

__all__ = ["as_seconds", "told"]

LONGEST = 80  # characters of somebody's value inside a message


def told(value: object) -> str:
    """Return a value as it stands in a message: its ``repr``, cut short; a stranger's that raises is no trouble."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def as_seconds(name: str, value: Any) -> float:
    """Return a duration in seconds; below zero and infinite are what they say.

    Raises ``TypeError`` for what is no number, and ``ValueError`` for one that no clock can wait for: with a NaN as a
    timer, asyncio's loop sleeps for ever.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {told(value)}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.nan
    if math.isnan(seconds):
        raise ValueError(f"{name} must be a number of seconds, not {told(value)}")
    return seconds
