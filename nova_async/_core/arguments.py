"""Rejecting arguments that a caller cannot have meant, with a message that says what to write instead."""

import math
from typing import Any

__all__ = ["as_seconds", "told"]

LONGEST = 80  # characters of a value inside a message


def told(value: object) -> str:
    """Return a value for use in a message: its ``repr``, cut short; one that raises does no harm."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def as_seconds(name: str, value: Any) -> float:
    """Return a duration in seconds; negative and infinite ones are allowed.

    Raises ``TypeError`` if it is not a number, and ``ValueError`` for a number that no clock can wait for: with a NaN
    timer, asyncio's loop sleeps forever.
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
