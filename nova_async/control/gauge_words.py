"""How full a usage limit is, in words: the same in lines, table, status and page. Pure."""

from datetime import datetime

from nova_async._core.moments import local_time

__all__ = ["describe_gauge", "describe_used", "limit_name"]

NAMES = {"five_hour": "5-hour limit", "seven_day": "weekly limit"}  # what two agents and their makers call so


def describe_gauge(
    agent: str, kind: str, used: float, resets_at: datetime | None, next_start_at: datetime | None, now: datetime
) -> str:
    """Say how much of a limit is used, when it resets, and when the next task starts if that slows starts down."""
    resets = "" if resets_at is None else f", resets {local_time(resets_at, now, seconds=is_soon(resets_at, now))}"
    slow = (
        ""
        if next_start_at is None
        else f"; next start at {local_time(next_start_at, now, seconds=is_soon(next_start_at, now))} (pace)"
    )
    return f"{describe_used(agent, kind, used)}{resets}{slow}"


def describe_used(agent: str, kind: str, used: float) -> str:
    """Say how much of a limit is used: ``claude: 62 % of its 5-hour limit used``."""
    percent = int(used * 100 + 1e-6)  # 99.6 % is not all of it
    return f"{agent}: {percent} % of its {limit_name(kind)} used"


def limit_name(kind: str) -> str:
    """Return what people call a limit, given the agent's own word for it: ``5-hour limit``."""
    return NAMES.get(kind, f"{kind.replace('_', ' ')} limit")


def is_soon(moment: datetime, now: datetime) -> bool:
    """Tell whether it is so near that its seconds matter."""
    return (moment - now).total_seconds() < 120
