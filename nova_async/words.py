"""Every fixed word, each defined once; to JSON, SQLite and the plan they are plain strings."""

from enum import StrEnum

__all__ = [
    "Condition",
    "EventKind",
    "Leftovers",
    "NoticeKind",
    "OnBudget",
    "OnFailure",
    "Outcome",
    "Permissions",
    "Phase",
    "PlanOrder",
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
    """It exited on its own, with any code."""
    SIGNALED = "signaled"
    """Somebody else's signal ended it."""
    TERMINATED = "terminated"
    """``terminate()``, a cancellation or the end of its ``with`` block ended it."""
    TIMED_OUT = "timed_out"
    """It ran longer than ``Limits.timeout``."""
    STALLED = "stalled"
    """It printed nothing for ``Limits.idle_timeout``."""
    LINGERED = "lingered"
    """It was still running ``Limits.linger`` after its final result."""
    OVER_BUDGET = "over_budget"
    """It exceeded ``Limits.max_tokens`` or ``Limits.max_cost_usd``."""
    OUT_OF_MEMORY = "out_of_memory"
    """Its process family exceeded ``Limits.max_memory``."""
    EXIT_UNKNOWN = "exit_unknown"
    """It exited on its own, but its exit status is lost: this program ignores SIGCHLD, or reaps every child."""
    NOT_STARTED = "not_started"
    """The system could not start it; nothing ran."""


class Outcome(StrEnum):
    """How an attempt of a task ended; only ``OK`` completes the task."""

    OK = "ok"
    """It exited with code 0, its agent reported success, and the task's ``verify`` passed."""
    # What the command or its agent did.
    EXIT = "exit"
    """A non-zero exit code."""
    SIGNAL = "signal"
    """Somebody else's signal ended it."""
    AGENT_ERROR = "agent_error"
    """The agent itself reported a failure."""
    LOST_TAIL = "lost_tail"
    """It exited with code 0, but without the agent's final result, or its sub-agents were still at work."""
    DENIED = "denied"
    """The agent was denied tools and achieved nothing: no file changed, no ``verify`` passed."""
    VERIFY = "verify"
    """The agent succeeded, but the task's own check failed."""
    # What ended it early.
    TIMEOUT = "timeout"
    STALLED = "stalled"
    BUDGET = "budget"
    OUT_OF_MEMORY = "out_of_memory"
    # What the agent's account or its provider said.
    AUTH = "auth"
    LIMIT = "limit"
    OVERLOAD = "overload"
    NETWORK = "network"
    """The agent could not reach its service, or lost it in the middle of an answer; no HTTP status came."""
    # What this machine said.
    SPAWN_ERROR = "spawn_error"
    """The command could not be started."""
    NO_RESOURCES = "no_resources"
    """The machine had no process, memory or descriptor left to start it; this says nothing about the task."""
    LOG_ERROR = "log_error"
    """Its log could not be opened."""
    EXECUTOR_ERROR = "executor_error"
    """The executor broke its contract."""
    EXIT_UNKNOWN = "exit_unknown"
    """It ran, but how it ended is unknown."""
    # What is not the task's fault.
    CANCELLED = "cancelled"
    """The run was stopped."""
    LOST = "lost"
    """Its supervisor died, or the machine that it ran on is gone."""
    SESSION_REFUSED = "session_refused"
    """The agent could not resume its session, and did nothing; the next attempt begins a new one."""


class TaskState(StrEnum):
    """Where a task of a run stands."""

    WAITING = "waiting"
    """It waits for its dependencies, or for the next run."""
    BLOCKED = "blocked"
    """A task that it depends on, directly or through others, has failed."""
    READY = "ready"
    """It waits for a free worker."""
    RETRYING = "retrying"
    """It pauses before its next attempt."""
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class TaskStatus(StrEnum):
    """The state file's word for a task's state; it has fewer words than ``TaskState``."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class Phase(StrEnum):
    """The steps of an attempt, in this order."""

    PREPARE = "prepare"
    """Inspecting the working folder; nothing has been started."""
    RUN = "run"
    """The agent is running."""
    VERIFY = "verify"
    """The agent has succeeded and the task's check is running."""
    SETTLE = "settle"
    """Working out what has changed; then the attempt is over."""


class EventKind(StrEnum):
    """What can happen in a run."""

    RUN_STARTED = "run_started"
    ATTEMPT_STARTED = "attempt_started"
    PHASE_STARTED = "phase_started"
    ATTEMPT_ENDED = "attempt_ended"
    TASK_RETRYING = "task_retrying"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_HELD = "task_held"
    """It waits, because its agent was refused by its account or cannot be started."""
    TASK_STOPPING = "task_stopping"
    """Somebody wants it to stop, and its attempt was asked to end."""
    TASK_STOPPED = "task_stopped"
    """It has stopped, or does not begin: it waits to be retried, or for the next run."""
    TASK_REOPENED = "task_reopened"
    """It runs again, because somebody wants it to."""
    APPROVAL_NEEDED = "approval_needed"
    """It waits for nothing but somebody's approval."""
    APPROVED = "approved"
    LIMIT_NEAR = "limit_near"
    """An account has used much of a usage limit; told again when that begins to slow its starts down."""
    LIMIT_REACHED = "limit_reached"
    """An account has reached a usage limit, and its tasks wait; told again when the end of that is another one."""
    LIMIT_RESET = "limit_reset"
    """The account serves again."""
    MILESTONE = "milestone"
    WARNING = "warning"
    """A problem that costs no task: a full disk, a deleted journal."""
    PAUSED = "paused"
    """Nothing new begins until the run is resumed; what runs goes on."""
    RESUMED = "resumed"
    WORKERS_CHANGED = "workers_changed"
    BUDGET_CHANGED = "budget_changed"
    STOPPING = "stopping"
    RUN_ENDED = "run_ended"


class NoticeKind(StrEnum):
    """Of what somebody may be notified."""

    END = "end"
    """The run has ended."""
    FAILURE = "failure"
    """The first task has failed."""
    BLOCKED = "blocked"
    """Something waits for a person: a gate to approve, an agent to log in, a tool that was denied."""
    LIMIT = "limit"
    """An account is near its usage limit, or has reached it."""
    BUDGET = "budget"
    """A budget is nearly used up, or used up."""


class RunEnd(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    """Its supervisor died."""


class Condition(StrEnum):
    """The condition of a run as seen from outside."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    DEAD = "dead"
    """Its supervisor died before the run ended."""


class Leftovers(StrEnum):
    """What happens to processes that outlive a command's normal exit."""

    KILL = "kill"
    LEAVE = "leave"


class OnFailure(StrEnum):
    """What a failed task means for the rest of its run."""

    CONTINUE = "continue"
    DRAIN = "drain"
    """Nothing new starts."""
    STOP = "stop"
    """Nothing new starts, and running tasks are stopped."""


class OnBudget(StrEnum):
    """What becomes of a task that a used-up budget has ended: its own, or the run's."""

    STOP = "stop"
    """It waits; with more budget, the next run goes on with it."""
    FAIL = "fail"
    """It has failed."""


class PlanOrder(StrEnum):
    """Whether the order of a plan's file counts."""

    AUTO = "auto"
    """As the plan seems to mean it."""
    DEPS = "deps"
    """No: only what tasks say that they depend on."""
    PHASE = "phase"
    """Yes, and so does what tasks say."""


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
    """The agent's own session files, and what it had printed beyond them."""
