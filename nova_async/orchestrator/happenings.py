"""What can happen to a run, as its orchestrator tells it: plain values. Pure."""

from dataclasses import dataclass
from typing import final

from nova_async.orchestrator.budget import NOTHING, Spending, spent_by
from nova_async.orchestrator.holding import Account
from nova_async.records import AttemptEnd, AttemptFacts
from nova_async.usage import Gauge
from nova_async.views import Hold
from nova_async.words import Outcome

__all__ = [
    "Again",
    "Approved",
    "Approving",
    "Begun",
    "Ended",
    "Forgotten",
    "Gauged",
    "Happening",
    "Heard",
    "Kept",
    "Memory",
    "NewBudget",
    "Offset",
    "Pause",
    "Refused",
    "Resume",
    "Served",
    "Spent",
    "StartedWell",
    "Starting",
    "Stop",
    "StopOne",
    "Told",
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
    account: Account | None = None
    """What it runs on; None if no command could be made."""


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
    spending: Spending
    is_done: bool = False
    """Whether its agent has told its final result: it is about to exit, or what it did is being checked."""

    @classmethod
    def by(cls, task_id: str, facts: AttemptFacts) -> "Spent":
        """Return what has been spent by what is known of a running attempt."""
        return cls(task_id, spent_by(facts), facts.is_error is not None or facts.finished is not None)


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """A task's attempt is over, and its end is in the journal."""

    task_id: str
    outcome: Outcome
    spending: Spending = NOTHING
    is_at_its_share: bool = False
    """Whether its agent was stopped by its share of what the run's budget had left: it goes on with another one."""
    needs_check: bool = False
    """Whether its agent has succeeded, and only the task's check is left."""
    account: Account | None = None
    """What the attempt ran on; None if no command could be made."""
    hold: Hold | None = None
    """Why no other attempt on that account can work, if its end shows that."""
    accounts: tuple[Account, ...] = ()
    """With a hold: what the task may run on, in the order of its agents."""
    retry_after: float | None = None
    """Seconds that a busy service asked to be left alone."""

    @classmethod
    def by(cls, end: AttemptEnd, written: bool, is_at_its_share: bool, needs_check: bool) -> "Ended":
        """Return what has ended; an end that could not be written down is none that anything may depend on."""
        outcome = end.outcome if written else Outcome.CANCELLED
        about = is_at_its_share, needs_check
        return cls(end.id.task_id, outcome, spent_by(end), *about, retry_after=end.retry_after)


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """A task did not begin, because its account is on hold; nothing was written or started."""

    task_id: str
    account: Account


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """So many bytes of memory are available now."""

    available: int


@final
@dataclass(frozen=True, slots=True)
class Told:
    """Another run has met the usage limit of an account; ``hold.until`` says how long nobody tries."""

    account: Account
    hold: Hold


@final
@dataclass(frozen=True, slots=True)
class Starting:
    """A task is about to start on this account; None if no command could be made."""

    task_id: str
    account: Account | None


@final
@dataclass(frozen=True, slots=True)
class Gauged:
    """A running attempt has told how full the limits of its account are."""

    task_id: str
    gauges: tuple[Gauge, ...]


@final
@dataclass(frozen=True, slots=True)
class Heard:
    """Other runs know how full the limits of an account are, and when one of them has last started something there."""

    account: Account
    gauges: tuple[Gauge, ...]
    started_at: float | None = None
    """In seconds of UTC."""


@final
@dataclass(frozen=True, slots=True)
class Served:
    """The account of a task's attempt serves it: it was not refused."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class Offset:
    """So many seconds are from the clock of ``now`` to UTC: the machine has slept, or its clock was set."""

    seconds: float


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


@final
@dataclass(frozen=True, slots=True)
class StopOne:
    """Somebody wants one task to stop, within its own grace or this many seconds, and the run to go on without it."""

    task_id: str
    grace: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Again:
    """Somebody wants these tasks to run again."""

    task_ids: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Forgotten:
    """By the journal, what these tasks have come to no longer counts: they may begin."""

    task_ids: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Approving:
    """Somebody has approved these tasks, which is being written down: the run does not end meanwhile."""

    task_ids: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody has approved these tasks, and that is in the journal."""

    task_ids: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody wants nothing new to begin for now; what runs goes on."""


@final
@dataclass(frozen=True, slots=True)
class Resume:
    """Somebody wants a paused run to go on."""


@final
@dataclass(frozen=True, slots=True)
class NewBudget:
    """From now on the run may use so much, with what has been used already; what is None stays as it is."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None


Happening = (
    Begun | Kept | Starting | Written | Refused | StartedWell | Spent | Gauged | Heard | Served | Ended | Told | Offset
    | Memory | Woken | Stop | StopOne | Again | Forgotten | Approving | Approved | Pause | Resume | NewBudget | Workers
)  # fmt: skip
