"""Read-only views of a run: each task as it stands, and how it all ended. The same for tables, files and pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import final

from nova_async.records import Attempt, EarlierAttempts, LogRef
from nova_async.usage import TokenUsage
from nova_async.words import Outcome, Phase, RunEnd, TaskState

__all__ = ["BudgetView", "GaugeView", "Hold", "MilestoneView", "RunReport", "RunView", "TaskView"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task at one moment. Sums cover all its attempts, earlier runs included, unless noted otherwise."""

    id: str
    name: str = ""
    branch: str = ""
    group: str = ""
    depends_on: tuple[str, ...] = ()
    """The tasks that it waits for directly, as the plan has it."""
    state: TaskState = TaskState.WAITING
    is_selected: bool = True
    """Whether it is one of those that the run was to run."""
    phase: Phase | None = None
    """The phase of the running attempt; None while none runs."""
    phase_since: datetime | None = None
    """When that phase began."""
    is_stopping: bool = False
    """Whether its attempt was asked to end, and has not ended yet."""
    attempt: int = 0
    """The number of the current or latest attempt, counted from 1 over all runs; 0 before the first."""
    agent: str = ""
    """Who serves or served that attempt, with its account: ``claude@work``; empty before the first."""
    outcome: Outcome | None = None
    """How the latest attempt ended; None before the first end and while an attempt runs."""
    error: str | None = None
    """What went wrong in the latest attempt."""
    reason: str | None = None
    """Why it is not running: what it is waiting for."""
    retry_at: datetime | None = None
    """When its next attempt starts, while it pauses before a retry or waits for a usage limit to reset."""
    activity: str | None = None
    """What the agent or the task's check is doing now."""
    last_output_at: datetime | None = None
    """When its agent last printed something; None where it does not run, or nobody has looked at its log."""
    blocked_by: tuple[str, ...] = ()
    is_stopped: bool = False
    """Whether somebody has stopped it: it waits to be retried, or for the next run."""
    needs_approval: bool = False
    """Whether it waits for nothing but somebody's approval: a gate of the plan."""
    host: str = ""
    """The machine that it runs on; empty means this one."""
    pid: int | None = None
    """The process that is running now: the agent, or the task's check."""
    pid_start_time: float | None = None
    cookie: str | None = None
    started_at: datetime | None = None
    """When the current or latest attempt started."""
    completed_at: datetime | None = None
    """When the attempt that completed or failed the task ended."""
    duration_seconds: float = 0.0
    """Working time, including the running attempt's up to now."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    usage_is_final: bool = True
    """Whether the tokens are the agents' own totals; False while an attempt runs, and if something is missing."""
    cost_usd: float | None = None
    """As reported by the agents; None if none reported it."""
    estimated_usd: float | None = None
    """By a list of prices, for attempts whose agents reported no cost; never part of ``cost_usd``."""
    cost_is_complete: bool = True
    """False if tokens were used whose cost is unknown."""
    result: str | None = None
    """The agent's final answer."""
    denied: tuple[str, ...] = ()
    """The tools that the agent was denied in the latest attempt."""
    session_id: str | None = None
    log_path: str | None = None
    log: LogRef | None = None
    log_error: str | None = None
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """The latest, oldest first: at least ten, if there were so many."""
    earlier: EarlierAttempts | None = None
    """What those before them came to; None if all are told."""

    @property
    def times_tried(self) -> int:
        """How many attempts it has had."""
        return len(self.attempts) + (self.earlier.outcomes.total() if self.earlier is not None else 0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneView:
    """A milestone of the plan that a run has reached."""

    id: str
    message: str
    reached_at: datetime


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why no more tasks of an agent start in this run: its account refused it, or it cannot be started."""

    agent: str
    """Its name; for any other command, the program."""
    program: str
    model: str | None = None
    """If only the tasks of one model wait: the model that they name, or empty if they name none."""
    outcome: Outcome
    """Of the attempt that was refused."""
    error: str
    """What the agent or the system said."""
    cure: str
    """What to do, in one sentence."""
    kind: str | None = None
    """The usage limit that is reached, in the agent's own word for it."""
    resets_at: datetime | None = None
    """When that limit resets, as the agent told; None where it did not."""
    until: datetime | None = None
    """Until when the tasks wait in this run; then one of them tries. None if no waiting helps, or nobody waits."""
    waiting: tuple[str, ...] = ()
    """The tasks that wait for it, directly or through others, in file order; known at the end of the run."""
    is_pace: bool = False
    """Whether the limit is near and not reached: tasks start one by one until then."""

    @property
    def reason(self) -> str:
        """What is wrong, in a few words."""
        return f"{self.agent} {WHY_HELD.get(self.outcome, 'cannot work')}"

    @property
    def waits_for(self) -> str | None:
        """What its tasks wait for in this run; None if no waiting in it helps."""
        if self.is_pace:
            return f"waits for the pace of {self.agent}"
        if self.outcome in (Outcome.OVERLOAD, Outcome.NETWORK):
            return f"waits for the service of {self.agent}"
        return None if self.until is None else f"waits for the usage limit of {self.agent}"


WHY_HELD = {
    Outcome.OVERLOAD: "meets an overloaded service",
    Outcome.NETWORK: "cannot reach its service",
    Outcome.AUTH: "is not logged in, or its key was rejected",
    Outcome.LIMIT: "has reached its usage limit",
    Outcome.SPAWN_ERROR: "cannot be started",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """A budget and what has been spent of it, by earlier runs too."""

    task_id: str | None = None
    """The task that it is of; None for the run's."""
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    cost_usd: float = 0.0
    """What is known to have been spent: reported by agents, or estimated."""
    tokens: int = 0
    is_used_up: bool = False
    stopped: tuple[str, ...] = ()
    """The tasks whose agents were at work when it was used up, and were asked to stop."""
    waiting: tuple[str, ...] = ()
    """The tasks that wait for more of it, directly or through others, in file order."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeView:
    """How full one usage limit of an account is, as its agents have told."""

    agent: str
    kind: str
    """The agent's own word for the limit."""
    used: float
    """From 0 to 1."""
    resets_at: datetime | None = None
    """In UTC; None where the agent did not say."""
    next_start_at: datetime | None = None
    """When the next task of the account starts, while this limit slows its starts down."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run at one moment, without its tasks."""

    run_id: str
    project: str
    cascade_file: str
    """The plan's file, as it was named for this run."""
    started_at: datetime | None = None
    """When the first run of this plan started; since ``--fresh``, when that one did."""
    completed_at: datetime | None = None
    """When the run ended, however it ended."""
    end: RunEnd | None = None
    """None while it runs, and forever if its supervisor died."""
    pid: int | None = None
    """The supervisor."""
    pid_start_time: float | None = None
    max_workers: int = 1
    """How many tasks may run at once."""
    is_paused: bool = False
    """Whether somebody has paused it: nothing new begins, and what runs goes on."""
    is_stopping: bool = False
    """Whether it is to end: nothing new begins, and what runs was asked to end."""
    milestones: tuple[MilestoneView, ...] = ()
    removed: Mapping[str, Outcome | None] = field(default_factory=dict)
    """Tasks that have run but are no longer in the plan, with their latest outcome."""
    warnings: tuple[str, ...] = ()
    """Problems with logs, state file or journal that cost no task."""
    holds: tuple[Hold, ...] = ()
    """Agents that cannot work now, with the tasks that wait for them."""
    budgets: tuple[BudgetView, ...] = ()
    """The run's own budget, if it has one, and those of tasks that wait for more."""
    control: str | None = None
    """The address of the socket at which it answers; None where it has none."""
    gauges: tuple[GaugeView, ...] = ()
    """How full the usage limits of its accounts are, as far as their agents tell and they have not reset."""


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
    """Of all attempts of all tasks, including earlier runs that this one resumed; a fresh run counts itself alone."""
    usage_by_model: Mapping[str, TokenUsage]
    usage_is_final: bool
    """Whether the tokens are the agents' own totals, with nothing known to be missing."""
    cost_usd: float | None
    """As reported by the agents; None if none reported it."""
    estimated_usd: float | None = None
    """By a list of prices, for attempts whose agents reported no cost; never part of ``cost_usd``."""
    cost_is_complete: bool
    """False if some task used tokens whose cost is unknown."""
    milestones: Mapping[str, str]
    """The milestones reached: id to message."""
    warnings: tuple[str, ...] = ()
    """Problems with logs, state file or journal that cost no task."""
    holds: tuple[Hold, ...] = ()
    """Agents that could not work, and the tasks that wait for them; the next run continues with these."""
    budgets: tuple[BudgetView, ...] = ()
    """The run's own budget, if it has one, and those of tasks that wait for more."""

    @property
    def is_over_budget(self) -> bool:
        """Whether the run's own budget is used up: the next run starts nothing unless it has a larger one."""
        return any(budget.is_used_up for budget in self.budgets if budget.task_id is None)

    @property
    def selected(self) -> Mapping[str, TaskView]:
        """The tasks that the run was to run; all, unless it was told which."""
        return {task_id: task for task_id, task in self.tasks.items() if task.is_selected}

    @property
    def ok(self) -> bool:
        """Whether every task has completed that the run was to run."""
        return all(task.state == TaskState.COMPLETED for task in self.selected.values())

    @property
    def exit_code(self) -> int:
        """0 if every task has completed that the run was to run, 1 otherwise."""
        return 0 if self.ok else 1
