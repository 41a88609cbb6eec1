"""Every word of fixed meaning, each in one place: they are plain strings to JSON, SQLite and the plan."""

from enum import StrEnum

__all__ = [
    "Condition",
    "EventKind",
    "Leftovers",
    "OnFailure",
    "Outcome",
    "Permissions",
    "Phase",
    "RunEnd",
    "TaskState",
    "TaskStatus",
    "UsageSource",
    "WorkerEnd",
    "WorkerStatus",
]


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


class Outcome(StrEnum):
    """How an attempt of a task ended; only ``OK`` completes the task."""

    OK = "ok"
    """It exited with code 0, its agent said that it succeeded, and the task's ``verify`` passed."""
    # What the command or its agent did.
    EXIT = "exit"
    """A non-zero exit code."""
    SIGNAL = "signal"
    """Somebody else's signal ended it."""
    AGENT_ERROR = "agent_error"
    """The agent itself said that it failed."""
    LOST_TAIL = "lost_tail"
    """It exited with code 0, but the agent's final result never came."""
    DENIED = "denied"
    """The agent was refused tools and nothing came of its work: no file changed, no ``verify`` passed."""
    VERIFY = "verify"
    """The agent succeeded, the task's own check did not."""
    # What ended it early.
    TIMEOUT = "timeout"
    STALLED = "stalled"
    BUDGET = "budget"
    OUT_OF_MEMORY = "out_of_memory"
    # What the agent's account or its service said.
    AUTH = "auth"
    LIMIT = "limit"
    OVERLOAD = "overload"
    # What this machine said.
    SPAWN_ERROR = "spawn_error"
    """The command could not be started."""
    NO_RESOURCES = "no_resources"
    """The machine had no process, memory or descriptor left to start it with; no verdict about the task."""
    LOG_ERROR = "log_error"
    """Its log could not be opened."""
    EXECUTOR_ERROR = "executor_error"
    """Whoever places the attempts broke its contract."""
    EXIT_UNKNOWN = "exit_unknown"
    """It ran, but how it ended is not known."""
    # What nobody can hold against the task.
    CANCELLED = "cancelled"
    """The run was stopped."""
    LOST = "lost"
    """Its supervisor died, or the machine that it ran on is gone."""


class TaskState(StrEnum):
    """Where a task of a run stands."""

    WAITING = "waiting"
    """For its dependencies, or for the next run."""
    BLOCKED = "blocked"
    """By a failed task that it depends on, directly or through others."""
    READY = "ready"
    """It waits for a free place."""
    RETRYING = "retrying"
    """It pauses before its next attempt."""
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class TaskStatus(StrEnum):
    """What the state file calls a task's state; it has no words for the finer ones."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class Phase(StrEnum):
    """The steps of an attempt, in this order."""

    PREPARE = "prepare"
    """The working folder is looked at; nothing has been started."""
    RUN = "run"
    """The agent works."""
    VERIFY = "verify"
    """The agent has succeeded, the task's check runs."""
    SETTLE = "settle"
    """What has changed is looked at; then the attempt is over."""


class EventKind(StrEnum):
    """What can happen in a run."""

    RUN_STARTED = "run_started"
    ATTEMPT_STARTED = "attempt_started"
    PHASE_STARTED = "phase_started"
    ATTEMPT_ENDED = "attempt_ended"
    TASK_RETRYING = "task_retrying"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    MILESTONE = "milestone"
    WARNING = "warning"
    """Something is wrong that costs no task: a full disk, a journal taken away."""
    STOPPING = "stopping"
    RUN_ENDED = "run_ended"


class RunEnd(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    """Its supervisor died."""


class Condition(StrEnum):
    """How a run is, for whoever looks at it from outside."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    DEAD = "dead"
    """Its supervisor died before it had come to its end."""


class Leftovers(StrEnum):
    """What becomes of processes that outlive a command's normal exit."""

    KILL = "kill"
    LEAVE = "leave"


class OnFailure(StrEnum):
    """What a failed task means for the rest of its run."""

    CONTINUE = "continue"
    DRAIN = "drain"
    """Nothing new begins."""
    STOP = "stop"
    """Nothing new begins, and what runs is ended."""


class Permissions(StrEnum):
    """What an agent may do, the same for every agent."""

    READ = "read"
    """Look only."""
    EDIT = "edit"
    """Change files in its folder, and run what the agent's own sandbox or rules allow."""
    FULL = "full"
    """Everything, without being asked."""
    OWN = "own"
    """Whatever the agent's own configuration says."""


class UsageSource(StrEnum):
    """Where an agent's token counts come from."""

    NONE = "none"
    """Nothing has been counted yet."""
    LIVE = "live"
    """Added up from what it printed while it worked."""
    FINAL = "final"
    """The total that it printed itself."""
    SESSION_FILES = "session_files"
    """The files in which it keeps its sessions, read after its end."""
