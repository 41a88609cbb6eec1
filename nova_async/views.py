"""What one can see of a run: each task as it stands, and how it all ended. The same for tables, files and pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import final

from nova_async.records import Attempt, LogRef
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, Phase, RunEnd, TaskState

__all__ = ["MilestoneView", "RunReport", "RunView", "TaskView"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task at one moment. Sums are over all its attempts, of earlier runs too, unless something else is said."""

    id: str
    name: str = ""
    branch: str = ""
    group: str = ""
    state: TaskState = TaskState.WAITING
    phase: Phase | None = None
    """What the running attempt is at; None while none runs."""
    phase_since: datetime | None = None
    """When that phase began."""
    attempt: int = 0
    """The number of the attempt that runs or ran last, counted from 1 over all runs; 0 before the first."""
    outcome: Outcome | None = None
    """How the last attempt ended; None before that, and while another one runs."""
    error: str | None = None
    """What went wrong in the last attempt."""
    reason: str | None = None
    """Why it does not run: what it waits for."""
    retry_at: datetime | None = None
    """When it is tried again, while it pauses before its next attempt."""
    activity: str | None = None
    """What the agent or the task's check does now."""
    blocked_by: tuple[str, ...] = ()
    host: str = ""
    """The machine that it runs on; empty is this one."""
    pid: int | None = None
    """The process that works now: the agent, or the task's check."""
    pid_start_time: float | None = None
    cookie: str | None = None
    started_at: datetime | None = None
    """The beginning of the attempt that runs or ran last."""
    completed_at: datetime | None = None
    """The end of the attempt that completed or failed the task."""
    duration_seconds: float = 0.0
    """Time of work; of the running attempt up to now."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    usage_is_final: bool = True
    """Whether the tokens are the agents' own totals; False while an attempt runs, and where something is missing."""
    cost_usd: float | None = None
    """What the agents told; None where none told."""
    cost_is_complete: bool = True
    """False where tokens were used and nobody told what they cost."""
    result: str | None = None
    """What the agent answered in the end."""
    denied: tuple[str, ...] = ()
    """The tools that the agent was refused in the last attempt."""
    session_id: str | None = None
    log_path: str | None = None
    log: LogRef | None = None
    log_error: str | None = None
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Oldest first."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneView:
    """A milestone of the plan that a run has reached."""

    id: str
    message: str
    reached_at: datetime


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run at one moment, but for its tasks."""

    run_id: str
    project: str
    cascade_file: str
    """The plan's file, as it was named for this run."""
    started_at: datetime | None = None
    """The first beginning of this plan's runs, unless it was begun anew."""
    completed_at: datetime | None = None
    """The end of the run, however it ended."""
    end: RunEnd | None = None
    """None while it runs, and for ever where its supervisor died."""
    pid: int | None = None
    """The supervisor."""
    pid_start_time: float | None = None
    max_workers: int = 1
    milestones: tuple[MilestoneView, ...] = ()
    removed: Mapping[str, Outcome | None] = field(default_factory=dict)
    """Tasks that have run and stand no more in the plan, with their last outcome."""
    warnings: tuple[str, ...] = ()
    """What is wrong with logs, state file or journal, and costs no task."""


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
    """Of all attempts of all tasks, also of earlier runs that this one resumed; of this run alone where it is fresh."""
    usage_by_model: Mapping[str, TokenUsage]
    usage_is_final: bool
    """Whether the tokens are the agents' own totals, with nothing known to be missing."""
    cost_usd: float | None
    cost_is_complete: bool
    """False where some task used tokens without telling what they cost."""
    milestones: Mapping[str, str]
    """Those reached: id to message."""
    warnings: tuple[str, ...] = ()
    """What went wrong with logs, state file or journal, and cost no task."""

    @property
    def ok(self) -> bool:
        """Whether every task has completed."""
        return all(task.state == TaskState.COMPLETED for task in self.tasks.values())

    @property
    def exit_code(self) -> int:
        """0 if every task has completed, 1 otherwise."""
        return 0 if self.ok else 1
