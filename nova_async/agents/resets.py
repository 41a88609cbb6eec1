"""When a usage limit ends: the moment that an agent tells, in whatever words it tells it."""

from datetime import UTC, datetime
from typing import Any

__all__ = ["utc_of"]


def utc_of(seconds: Any) -> datetime | None:
    """Return the moment that so many whole seconds since 1970 are; None for whatever is no such number."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int and seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
