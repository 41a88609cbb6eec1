"""When the next task of an account may start, so that the rest of a usage limit lasts until it resets. Pure.

Below the threshold nothing is held back, nor where all that is left to run fits into the rest. From there on tasks
start one by one: the time from the last start to the reset is divided by how many more starts the rest is enough for.
No start waits beyond the reset, and an agent that runs is left alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, final

from nova_async.agents.resets import FURTHEST
from nova_async.usage import Gauge
from nova_async.views import Hold

__all__ = ["MOST_WINDOWS", "AccountPace", "Setting", "Window", "merged", "next_start", "threshold"]

Setting = Literal["on", "off"] | float

SHARE = 0.9  # from here on, unless a plan says otherwise: below it there is room for many a task
# Seconds to the reset from which a plan that says nothing is paced. Spreading what is left of a week makes everything
# come days later, and nothing more of it: only who wants that should get it.
SOON = 6 * 3600.0
# What a start uses at least, until more is known: agents tell whole percents, and few tasks use less of five hours.
STEP = 0.01
SAME_WINDOW = 60.0  # seconds by which two tellings of one reset may differ: some agents tell it in seconds from now
# The share by which one agent's news can be older than another's that came first: within a window, use only grows.
# Where it falls by more, somebody has bought more.
OLDER_NEWS = 0.1
MOST_WINDOWS = 16  # kinds of limits of one account; an account has a handful


@final
@dataclass(frozen=True, slots=True)
class Window:
    """One usage limit of an account until its reset, as far as this run has seen it."""

    used: float
    resets_at: float | None
    """In seconds of UTC."""
    first_used: float
    """What was used when this run first heard of it."""
    ended: int = 0
    """How many attempts of this run have ended since."""
    is_told: bool = False
    """Whether it was told that it is near."""
    is_told_slow: bool = False
    """Whether it was told that it slows starts down."""

    @property
    def cost(self) -> float:
        """The share that one start uses; never 0."""
        return max(self.used - self.first_used, STEP) / max(self.ended, 1)


@final
@dataclass(slots=True)
class AccountPace:
    """What is known of one login, and what its tasks wait for."""

    windows: dict[str, Window] = field(default_factory=dict)
    """By the agent's word for the limit."""
    started_at: float | None = None
    """When anybody has last started something there, in seconds of UTC."""
    before: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    """For each task that is about to start, when, and when the one before it has: it may not start after all."""
    hold: Hold | None = None
    """What keeps its tasks from starting now."""
    next_task: str | None = None
    """The one that may start nevertheless: its moment has come."""


def merged(windows: Mapping[str, Window], gauges: Iterable[Gauge], now: float) -> dict[str, Window]:
    """Return the windows that have not reset, with what has been told last of each."""
    found = {kind: window for kind, window in windows.items() if window.resets_at is None or window.resets_at > now}
    for gauge in gauges:
        resets_at = None if gauge.resets_at is None else gauge.resets_at.timestamp()
        known = found.get(gauge.kind)
        if not 0 <= gauge.used <= 1 or (resets_at is not None and resets_at <= now):
            continue
        if known is None:
            if len(found) < MOST_WINDOWS:
                found[gauge.kind] = Window(gauge.used, resets_at, gauge.used)
        elif known.resets_at is None or resets_at is None or abs(resets_at - known.resets_at) <= SAME_WINDOW:
            at = known.resets_at if resets_at is None else resets_at
            is_older = known.used - OLDER_NEWS <= gauge.used < known.used
            used, first = known.used if is_older else gauge.used, min(known.first_used, gauge.used)
            found[gauge.kind] = replace(known, used=used, resets_at=at, first_used=first)
        elif resets_at > known.resets_at:  # an earlier one is of a window that is over
            found[gauge.kind] = Window(gauge.used, resets_at, gauge.used)
    return found


def threshold(setting: Setting, resets_at: float | None, now: float) -> float | None:
    """Return from which used share on a limit with this reset slows starts down; None if it never does."""
    if setting == "off" or resets_at is None or not now < resets_at <= now + FURTHEST.total_seconds():
        return None
    if isinstance(setting, float):
        return setting
    return SHARE if resets_at <= now + SOON else None


def next_start(window: Window, started_at: float | None, now: float, setting: Setting, left: int) -> float | None:
    """Return when the next task may start, in seconds of UTC; if that has passed, one may now. None: all may.

    ``started_at`` is when the last one has, ``left`` how many are still to run to their end. A limit that is used up
    is no matter of pace.
    """
    least = threshold(setting, window.resets_at, now)
    if least is None or window.resets_at is None or not least <= window.used < 1:
        return None
    rest = 1 - window.used
    if left * window.cost <= rest:
        return None
    if started_at is None:
        return now
    since = min(started_at, now)
    return since + (window.resets_at - since) * min(window.cost / rest, 1.0)
