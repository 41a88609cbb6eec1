"""What an orchestrator is told to do: plain values. Pure."""

from dataclasses import dataclass
from typing import final

from nova_async.cascade.milestones import Milestone
from nova_async.orchestrator.holding import Account
from nova_async.usage import Gauge
from nova_async.views import GaugeView, Hold

__all__ = [
    "Action",
    "Begin",
    "CameToGate",
    "Closed",
    "Completed",
    "Failed",
    "Finish",
    "Forget",
    "GiveUp",
    "HeldBack",
    "Near",
    "Opened",
    "OutOfBudget",
    "Overspent",
    "PassedGate",
    "Reached",
    "Reopened",
    "Retrying",
    "Share",
    "ShortOfMemory",
    "StopTask",
    "Stopped",
    "Suspended",
    "WakeAt",
]


@final
@dataclass(frozen=True, slots=True)
class Begin:
    """Write down that an attempt of this task begins, then submit it."""

    task_id: str
    share_usd: float | None = None
    """The most that its agent may spend of what the run's budget has left; None where that is not limited."""


@final
@dataclass(frozen=True, slots=True)
class StopTask:
    """Ask a running attempt to end within so many seconds."""

    task_id: str
    grace: float
    why: str | None = None
    """Why, in a few words; None where somebody has asked for it."""


@final
@dataclass(frozen=True, slots=True)
class Completed:
    """Tell that a task is completed."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class Retrying:
    """Tell that a task is tried again after so many seconds."""

    task_id: str
    delay: float


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """Tell that a task has failed for good, and which others it blocks."""

    task_id: str
    blocks: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Stopped:
    """Tell that a task that somebody wanted to stop has, or does not begin."""

    task_id: str
    has_run: bool
    """Whether an attempt of it was ended."""


@final
@dataclass(frozen=True, slots=True)
class Reopened:
    """Tell that a task runs again, and which tasks that were built on it stay completed."""

    task_id: str
    stay_completed: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Forget:
    """Write down that what these tasks have come to no longer counts, then come back with ``Forgotten``."""

    task_ids: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class CameToGate:
    """Tell that a task waits for nothing but somebody's approval."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class PassedGate:
    """Tell that somebody has approved a task."""

    task_id: str


@final
@dataclass(frozen=True, slots=True)
class HeldBack:
    """Tell that a task waits after its attempt, because its agent is on hold."""

    task_id: str
    hold: Hold


@final
@dataclass(frozen=True, slots=True)
class Suspended:
    """Tell that no more tasks of an agent begin."""

    hold: Hold


@final
@dataclass(frozen=True, slots=True)
class Closed:
    """Tell that an account has reached a usage limit, and until when its tasks wait; also if that has changed."""

    account: Account
    hold: Hold
    is_ours: bool
    """Whether this run has met the limit, so that other runs should hear of it from this one."""


@final
@dataclass(frozen=True, slots=True)
class Opened:
    """Tell that an account serves again after a usage limit."""

    account: Account
    hold: Hold


@final
@dataclass(frozen=True, slots=True)
class Near:
    """Tell that much of a usage limit is used, or that this slows starts down."""

    gauge: GaugeView


@final
@dataclass(frozen=True, slots=True)
class Share:
    """Let other runs know how full the limits of an account are, and when this one has last started something there."""

    account: Account
    gauges: tuple[Gauge, ...]
    started_at: float | None
    """In seconds of UTC."""


@final
@dataclass(frozen=True, slots=True)
class Reached:
    """Write down and tell that a milestone is reached."""

    milestone: Milestone


@final
@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """Tell that a task waits for more budget of its own."""

    task_id: str
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Overspent:
    """Tell that a budget is used up, or nearly, or was exceeded by what has succeeded."""

    text: str
    task_id: str | None = None
    """The task whose budget it is; None for the run's."""
    is_used_up: bool = True


@final
@dataclass(frozen=True, slots=True)
class ShortOfMemory:
    """Tell that tasks wait until more memory is available."""

    text: str


@final
@dataclass(frozen=True, slots=True)
class WakeAt:
    """Come back with ``Woken`` at this moment; a later ``WakeAt`` replaces it."""

    moment: float


@final
@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the run with the journal's error: nothing runs, and it takes nothing."""


@final
@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing runs and nothing will: the run is over."""


Action = (
    Begin | StopTask | Completed | Retrying | Failed | Stopped | Reopened | Forget | CameToGate | PassedGate | HeldBack
    | Suspended | Closed | Opened | Near | Share | Reached | OutOfBudget | Overspent | ShortOfMemory | WakeAt | GiveUp
    | Finish
)  # fmt: skip
