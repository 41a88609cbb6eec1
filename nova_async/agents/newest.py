"""Keep the newest of what an agent may tell without end."""

from typing import TypeVar

__all__ = ["forget_oldest"]

Key = TypeVar("Key")
Value = TypeVar("Value")


def forget_oldest(known: dict[Key, Value], most: int) -> Value | None:
    """Take the oldest entry out of a dict that has more than ``most``, and return its value; None if it has not."""
    return known.pop(next(iter(known))) if len(known) > most else None
