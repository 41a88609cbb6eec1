"""Whether a failed attempt is repeated, and when: a pure function."""

import random
from collections.abc import Collection, Sequence

__all__ = ["retry_delay"]

FREE = frozenset({"lost", "cancelled"})
"""Outcomes that are not the task's doing: our own death or the user's stop. They use up no retry."""


def retry_delay(
    outcomes: Sequence[str],
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
    failures = [outcome for outcome in outcomes if outcome not in FREE]
    if not failures or outcomes[-1] in FREE:
        return 0.0
    if len(failures) > retries or failures[-1] not in retry_on:
        return None
    first, longest = backoff
    # Beyond 2^30 every first pause has met its longest; the bound keeps the number small.
    pause = min(longest, first * 2.0 ** min(len(failures) - 1, 30))
    return pause * (1 - chance.random() / 2)
