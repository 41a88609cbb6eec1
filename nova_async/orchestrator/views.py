"""What one can see of a run: each task as it stands, what happened, and how it all ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, final

from nova_async.usage import TokenUsage

__all__ = ["Event", "EventKind", "RunReport", "TaskState", "TaskView"]

TaskState = Literal["waiting", "blocked", "ready", "retrying", "in_progress", "completed", "failed"]
"""``waiting`` for dependencies; ``blocked`` by a failed one; ``ready`` for a free place; ``retrying`` after a pause."""

EventKind = Literal[
    "run_started", "attempt_started", "attempt_ended", "task_retrying", "task_completed", "task_failed",
    "milestone", "stopping", "run_ended",
]  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task at one moment."""

    id: str
    name: str
    branch: str = ""
    group: str = ""
    state: TaskState = "waiting"
    attempt: int = 0
    """The number of the attempt that runs or ran last, counted from 1 over all runs; 0 before the first."""
    outcome: str | None = None
    """How the last attempt ended, as one word of the vocabulary."""
    error: str | None = None
    reason: str | None = None
    """Why it does not run: what it waits for, when it is tried again."""
    activity: str | None = None
    """What the agent is doing now."""
    blocked_by: tuple[str, ...] = ()
    pid: int | None = None
    started_at: datetime | None = None
    """The beginning of the attempt that runs or ran last."""
    duration_seconds: float = 0.0
    """Wall time of all attempts together; of the running one up to now."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    """Tokens of all attempts together."""
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    cost_usd: float | None = None
    """What the agents told of all attempts together; None where none told."""
    log_path: str | None = None
    session_id: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run."""

    kind: EventKind
    at: datetime
    task_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """More about it, in types that ``json.dumps`` takes."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as one flat JSON object: ``event``, ``at``, ``task`` where it is about one, and the data."""
        about = {} if self.task_id is None else {"task": self.task_id}
        return {"event": self.kind, "at": self.at.isoformat(timespec="milliseconds"), **about, **self.data}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a run ended."""

    run_id: str
    project: str
    tasks: Mapping[str, TaskView]
    """By id, in file order."""
    started_at: datetime
    duration_seconds: float
    usage: TokenUsage
    """Of all attempts of all tasks, also of earlier runs that this one resumed."""
    usage_by_model: Mapping[str, TokenUsage]
    cost_usd: float | None
    cost_is_complete: bool
    """False where some task used tokens without telling what they cost."""
    milestones: Mapping[str, str]
    """Those reached: id to message."""

    @property
    def ok(self) -> bool:
        """Whether every task has completed."""
        return all(task.state == "completed" for task in self.tasks.values())

    @property
    def exit_code(self) -> int:
        """0 if every task has completed, 1 otherwise."""
        return 0 if self.ok else 1
