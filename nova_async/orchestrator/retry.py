"""Whether a failed attempt is repeated, and when. Pure."""

import random
from collections.abc import Collection, Sequence

from nova_async.words import Outcome

__all__ = ["FREE", "NO_VERDICT", "UNSERVED", "may_be_retried", "pause", "retry_delay"]

FREE = frozenset({Outcome.LOST, Outcome.CANCELLED, Outcome.NO_RESOURCES})
"""Outcomes that are not the task's doing: our own death, the user's stop, a machine without room. They use up no
retry."""
UNSERVED = frozenset({Outcome.AUTH, Outcome.LIMIT, Outcome.SPAWN_ERROR})
"""Outcomes of an agent that its account refused or that could not be started. They use up retries of this run only; in
the next run the task begins as if it had not been tried."""
NO_VERDICT = FREE | UNSERVED
"""Outcomes that say nothing about the task itself: to the next run they are not failures."""


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
