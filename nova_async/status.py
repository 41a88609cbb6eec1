"""Where a worker stands, and why it ended."""

from enum import StrEnum

__all__ = ["WorkerEnd", "WorkerStatus"]


class WorkerStatus(StrEnum):
    """Where a worker stands: pending → running → completed or failed. A final status never changes."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class WorkerEnd(StrEnum):
    """Why a worker ended; a worker that has not ended has ``None`` instead."""

    EXITED = "exited"
    """It exited by itself, with whatever code."""
    SIGNALED = "signaled"
    """Somebody else's signal ended it."""
    TERMINATED = "terminated"
    """``terminate()``, a cancellation or the end of its ``with`` block."""
    TIMED_OUT = "timed_out"
    """It lived longer than ``Limits.timeout``."""
    STALLED = "stalled"
    """It printed nothing for ``Limits.idle_timeout``."""
    LINGERED = "lingered"
    """It stayed for ``Limits.linger`` after its final result."""
    OVER_BUDGET = "over_budget"
    """It went over ``Limits.max_tokens`` or ``Limits.max_cost_usd``."""
    OUT_OF_MEMORY = "out_of_memory"
    """Its family held more than ``Limits.max_memory``."""
    NOT_STARTED = "not_started"
    """The system could not start it; nothing ran."""
