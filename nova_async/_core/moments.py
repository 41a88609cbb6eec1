"""Moments as people read them: by the clock and the calendar of this machine. For programs they are ISO 8601 in UTC."""

from datetime import datetime

__all__ = ["day_and_time", "local_time"]


def local_time(moment: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Write a moment as the clock here shows it: ``15:54``, and on another day than ``now`` ``2026-11-27 15:54``."""
    there = moment.astimezone()
    clock = f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    return clock if there.date() == now.astimezone().date() else f"{there:%Y-%m-%d} {clock}"


def day_and_time(moment: datetime) -> str:
    """Write a moment with its day, for what is still read when today is long over: ``2026-11-26 15:54``."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
