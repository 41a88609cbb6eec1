"""Numbers as people read them: tokens, money, time. Pure."""

from datetime import datetime
from typing import Protocol

from nova_async._core.moments import local_time
from nova_async._core.money import dollars
from nova_async.usage import TokenUsage

__all__ = [
    "UNKNOWN",
    "clock_time",
    "cost_of_all",
    "cost_of_attempt",
    "describe_cost",
    "describe_duration",
    "describe_kinds",
    "describe_tokens",
    "short_count",
    "stopwatch",
    "until",
    "write_seconds",
]


class Costs(Protocol):
    """Whatever has a cost: a task, a run, a sum."""

    @property
    def cost_usd(self) -> float | None: ...
    @property
    def estimated_usd(self) -> float | None: ...
    @property
    def cost_is_complete(self) -> bool: ...


def short_count(count: int) -> str:
    """Write a number in at most five characters: ``950``, ``12.3k``, ``123k``, ``4.5M``."""
    if count < 1_000:
        return str(count)
    for unit, size in (("k", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)):
        if count < 99_950 * size // 1_000:
            return f"{count / size:.1f}{unit}"
        if count < 999_500 * size // 1_000:
            return f"{count / size:.0f}{unit}"
    return f"{count / 1_000_000_000_000:.1f}T"


UNKNOWN = "-"


def describe_cost(usd: float | None, estimated: float | None = None, *, complete: bool = True) -> str:
    """Write a cost in US dollars: what was reported, and ``~`` before what is estimated by prices.

    ``$1.23``, ``~$0.45``, ``$1.23 + ~$0.45``; ``≥`` before one of which a part is not known, ``-`` if nothing is known.
    """
    if usd == 0 and estimated:
        usd = None
    elif estimated == 0 and usd is not None:
        estimated = None
    parts = [mark + dollars(part) for mark, part in (("", usd), ("~", estimated)) if part is not None]
    if not parts or not (usd or estimated or complete):
        return UNKNOWN
    return ("" if complete else "≥ ") + " + ".join(parts)


def cost_of_all(sums: Costs) -> str:
    """Write what several attempts have cost."""
    return describe_cost(sums.cost_usd, sums.estimated_usd, complete=sums.cost_is_complete)


def cost_of_attempt(usd: float | None, estimated: float | None, *, usage_is_final: bool) -> str:
    """Write what one attempt has cost; an estimate of tokens that are known to be too few is too low."""
    return describe_cost(usd, estimated, complete=usd is not None or usage_is_final)


def describe_tokens(count: int, *, complete: bool = True, short: bool = False) -> str:
    """Write a number of tokens: ``≥`` before one of which a part is not known, ``-`` if nothing is known."""
    if not (count or complete):
        return "-"
    return f"{'' if complete else '≥ '}{short_count(count) if short else f'{count:,}'}"


def describe_kinds(usage: TokenUsage) -> str:
    """Write the tokens of each kind: ``1,200 input · 340 output · 0 cache read · 0 cache creation``."""
    kinds = ((name.removesuffix("_tokens").replace("_", " "), count) for name, count in usage.as_dict().items())
    return " · ".join(f"{count:,} {kind}" for kind, count in kinds)


def describe_duration(seconds: float) -> str:
    """Write a duration as people say it: ``0.8 s``, ``45 s``, ``12 min 3 s``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def stopwatch(seconds: float) -> str:
    """Write a running time in a form that keeps its width: ``0:07``, ``12:03``, ``2:05:00``."""
    minutes, rest = divmod(int(max(seconds, 0.0)), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def write_seconds(seconds: float) -> str:
    """Write a duration as a plan has it: ``250ms``, ``90s``, ``30m``, ``1h30m``."""
    if seconds != int(seconds):
        return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"
    whole = int(seconds)
    if whole < 60 or whole % 60:
        return f"{whole}s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}h{minutes}m" if hours and minutes else f"{hours}h" if hours else f"{minutes}m"


def until(moment: datetime, now: datetime) -> str:
    """Write a moment to come, and how long that is: ``until 15:54 (in 1 h 12 min)``, with the day if it is another."""
    seconds = max((moment - now).total_seconds(), 0.0)
    days, rest = divmod(round(seconds), 24 * 3600)
    left = f"{days} d {rest // 3600} h" if days else describe_duration(seconds)
    return f"until {local_time(moment, now, seconds=seconds < 120)} (in {left})"


def clock_time(moment: datetime) -> str:
    """Write a moment as the clock on the wall shows it here: ``12:01:07``."""
    return moment.astimezone().strftime("%H:%M:%S")
