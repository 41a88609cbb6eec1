"""What a forked child must reset, in a fixed order.

A child of ``os.fork`` has its parent's memory but none of its threads: locks may be held forever, the event loop never
runs, pipes belong to the parent. Each module registers its own reset here; one hook runs them all.
"""

import os
from collections.abc import Callable
from enum import IntEnum, auto

__all__ = ["Step", "in_child"]


class Step(IntEnum):
    """The order: what later steps may use is reset first."""

    THREADS = auto()
    """Locks and queues of threads that do not exist here."""
    COOKIE = auto()
    """Another process is another supervisor: processes started from now on must carry its name."""
    FAMILIES = auto()
    """The parent's children are the parent's to end."""
    ADOPTION = auto()
    SPAWNING = auto()
    PIPES = auto()
    ORPHAN_GUARD = auto()
    """After the cookie, which it carries."""
    PRICES = auto()
    JOURNAL_LOCK = auto()
    CONTROL = auto()
    """Only the run itself answers on its socket."""
    FACADE = auto()
    """The loop of the blocking workers, which needs all of the above."""


_steps: dict[Step, Callable[[], object]] = {}


def in_child(step: Step, start_over: Callable[[], object]) -> None:
    """Have ``start_over`` called in every forked child, at its place in the order."""
    assert step not in _steps, f"{step.name} already has its action"
    _steps[step] = start_over


def _start_over() -> None:
    for step in sorted(_steps):
        _steps[step]()


os.register_at_fork(after_in_child=_start_over)
