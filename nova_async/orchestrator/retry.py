"""Whether a failed attempt is repeated, and when. Pure."""

import heapq
import random
from collections.abc import Collection, Sequence

from nova_async.orchestrator.actions import Retrying
from nova_async.orchestrator.run_state import RunState
from nova_async.words import Outcome

__all__ = [
    "BUSY", "FREE", "MOST_LOST", "MOST_OVERLOADS", "MOST_SHORTAGES", "NO_VERDICT", "UNSERVED", "delay_before",
    "may_be_retried", "pause", "retry_delay", "retry_later",
]  # fmt: skip

MOST_LOST = 3  # attempts of one task in one run; a fourth is no accident of the machine that loses them
MOST_SHORTAGES = 20  # in a row; with the pauses between them some nine minutes without room for one process
MOST_OVERLOADS = 12  # in a row; with the usual pauses between them about an hour
LONGEST_TOLD = 3600.0  # seconds; a service that asks for more is tried again after an hour, as one that says nothing is
SHORTAGE_PAUSE = (0.5, 30.0)  # seconds, first and longest

FREE = frozenset({Outcome.LOST, Outcome.CANCELLED, Outcome.NO_RESOURCES, Outcome.SESSION_REFUSED})
"""Outcomes that are not the task's doing: our own death, the user's stop, a machine without room. They use up no
retry."""
UNSERVED = frozenset({Outcome.AUTH, Outcome.LIMIT, Outcome.SPAWN_ERROR})
"""Outcomes of an agent that its account refused or that could not be started. They use up retries of this run only; in
the next run the task begins as if it had not been tried."""
BUSY = frozenset({Outcome.OVERLOAD, Outcome.NETWORK})
"""Outcomes of a service that was overloaded or could not be reached. They use up no retry: they have a bound of their
own, ``MOST_OVERLOADS``."""
NO_VERDICT = FREE | UNSERVED | BUSY
"""Outcomes that say nothing about the task itself: to the next run they are not failures."""


def delay_before(state: RunState, task_id: str, outcome: Outcome, told: float | None = None) -> float | None:
    """Return after how many seconds a task is tried again; None if it is not.

    ``told`` is how many a busy service asked for.
    """
    if outcome is Outcome.LOST:
        state.lost[task_id] += 1
        times = state.lost[task_id]
        return pause(times, SHORTAGE_PAUSE, state.chance) if times <= MOST_LOST else None
    if outcome is Outcome.NO_RESOURCES:
        # What runs has room: no more than these at once until one more has started well.
        state.schedule.places = max(1, state.schedule.slots_in_use - 1)
        state.shortages[task_id] += 1
        times = state.shortages[task_id]
        return pause(times, SHORTAGE_PAUSE, state.chance) if times <= MOST_SHORTAGES else None
    settings, retries = state.cascade.settings, state.cascade.tasks[task_id].options.retries
    if outcome in BUSY:
        state.overloads[task_id] += 1
        times = state.overloads[task_id]
        may_be_retried = outcome in settings.retry_on and times <= MOST_OVERLOADS
        return max(pause(times, settings.backoff, state.chance), asked_for(told, state)) if may_be_retried else None
    if outcome in UNSERVED:
        times = state.unserved[task_id]
        may_be_retried = outcome in settings.retry_on and times <= retries
        return pause(times, settings.backoff, state.chance) if may_be_retried else None
    return retry_delay(
        state.outcomes[task_id],
        retries=retries,
        retry_on=settings.retry_on,
        backoff=settings.backoff,
        chance=state.chance,
    )


def asked_for(told: float | None, state: RunState) -> float:
    """Return how many seconds a busy service is left alone that asked for so many: a little more, but not for ever."""
    seconds = min(told, LONGEST_TOLD) if told is not None and told > 0 else 0.0
    return seconds * (1 + state.chance.random() / 10)  # many were told the same moment


def retry_later(state: RunState, task_id: str, delay: float, now: float) -> Retrying:
    """Let a task's place be free until it is tried again."""
    state.schedule.retry_later(task_id)
    heapq.heappush(state.pauses, (now + delay, task_id))
    state.paused_until[task_id] = now + delay
    return Retrying(task_id, delay)


def retry_delay(
    outcomes: Sequence[Outcome],
    *,
    retries: int,
    retry_on: Collection[str],
    backoff: tuple[float, float],
    chance: random.Random,
) -> float | None:
    """Return after how many seconds a task is tried again, or None if it is not.

    ``outcomes`` are those of all its attempts so far, the latest last. The pause doubles with each failure from the
    first to the longest of ``backoff``; a random half of it is taken off, so that tasks that failed together do not
    come back together.
    """
    if not may_be_retried(outcomes, retries=retries, retry_on=retry_on):
        return None
    failures = [outcome for outcome in outcomes if outcome not in NO_VERDICT]
    return 0.0 if not failures or outcomes[-1] in NO_VERDICT else pause(len(failures), backoff, chance)


def may_be_retried(outcomes: Sequence[Outcome], *, retries: int, retry_on: Collection[str]) -> bool:
    """Tell whether a task is tried again at all."""
    failures = [outcome for outcome in outcomes if outcome not in NO_VERDICT]
    if not failures or outcomes[-1] in NO_VERDICT:
        return True
    return len(failures) <= retries and failures[-1] in retry_on


def pause(times: int, backoff: tuple[float, float], chance: random.Random) -> float:
    """Return how many seconds to wait after something has failed so many times in a row."""
    first, longest = backoff
    # Beyond 2^30 every first pause has met its longest; the bound keeps the number small.
    seconds = min(longest, first * 2.0 ** min(times - 1, 30))
    return seconds * (1 - chance.random() / 2)
