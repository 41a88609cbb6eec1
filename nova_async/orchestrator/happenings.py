"""What can happen to a run, as its orchestrator tells it: plain values. Pure."""

from dataclasses import dataclass
from typing import final

from nova_async.orchestrator.holding import Account
from nova_async.views import Hold
from nova_async.words import Outcome

__all__ = [
    "Begun",
    "Ended",
    "Happening",
    "Kept",
    "Refused",
    "Spent",
    "StartedWell",
    "Stop",
    "Woken",
    "Workers",
    "Written",
]


@final
@dataclass(frozen=True, slots=True)
class Begun:
    """The run has begun."""


@final
@dataclass(frozen=True, slots=True)
class Written:
    """The beginning of a task's attempt is in the journal."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """The journal took no beginning of an attempt: nothing was started."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class StartedWell:
    """A task's process runs: there was room for it."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class Spent:
    """A running attempt has used so much up to now."""

    task_id: str
    tokens: int
    cost_usd: float


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """A task's attempt is over, and its end is in the journal."""

    task_id: str
    outcome: Outcome
    tokens: int = 0
    cost_usd: float = 0.0
    account: Account | None = None
    """What the attempt ran on; None if no command could be made."""
    hold: Hold | None = None
    """Why no other attempt on that account can work, if its end shows that."""


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """A task did not begin, because its account is on hold; nothing was written or started."""

    task_id: str
    account: Account


@final
@dataclass(frozen=True, slots=True)
class Woken:
    """The time of a ``WakeAt`` has come, or may have."""


@final
@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants the run to end: gently, each task within its own grace, or within this many seconds."""

    grace: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Workers:
    """From now on so many tasks may run at once."""

    max_workers: int


Happening = Begun | Kept | Written | Refused | StartedWell | Spent | Ended | Woken | Stop | Workers
