"""A run at one moment, as everybody is shown it: how it is, what needs somebody, what it takes, what runs. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, final

from nova_async._core.advice import run_command
from nova_async.control import looks
from nova_async.control.denials import cure_of
from nova_async.control.figures import (
    UNKNOWN,
    clock_time,
    cost_of_all,
    describe_cost,
    describe_duration,
    describe_tokens,
    short_count,
)
from nova_async.control.gauge_words import limit_name
from nova_async.control.looks import (
    LOOKS,
    NEEDS_APPROVAL,
    ON_HOLD,
    Look,
    Tone,
    count_states,
    is_on_hold,
    is_waiting_for_a_limit,
    look_of,
)
from nova_async.journal.condition import ENDS
from nova_async.journal.foreign_json import as_count, as_table
from nova_async.journal.rollup import Rollup, roll_up
from nova_async.journal.state_document import read_run, read_tasks, run_document
from nova_async.views import BudgetView, RunView, TaskView
from nova_async.words import Condition, TaskState

__all__ = ["Board", "Limit", "Need", "Spent", "Why"]

PARTS = ("project", "nova")  # of the document, what is about the run
USED_UP = Look("$", "used up", Tone.WARNING)


class Why(StrEnum):
    """Why something needs a person."""

    FAILED = "failed"
    """A task has failed, and may block others."""
    GATE = "gate"
    """A task waits for approval."""
    HELD = "held"
    """Tasks wait for something that waiting does not bring: an agent is not logged in, say."""
    SPENT = "spent"
    """A budget is used up."""
    DENIED = "denied"
    """An agent was denied tools, and completed its task without them."""


@final
class Need(NamedTuple):
    """Something that needs a person."""

    why: Why
    look: Look
    text: str
    """What is wrong, in one sentence."""
    task_ids: tuple[str, ...]
    """The tasks that it is about."""
    blocks: tuple[str, ...] = ()
    """The tasks that cannot run because of it, in file order."""
    cure: str = ""
    """What to do, where it takes more than looking."""


@final
class Limit(NamedTuple):
    """A usage limit that tasks wait for."""

    text: str
    """Whose it is, and until when it lasts."""
    task_ids: tuple[str, ...]
    """The tasks that wait for it."""
    reason: str = ""
    """Whose it is: ``waits for the usage limit of claude``."""
    until: datetime | None = None
    """Until when it lasts, as far as that is known."""
    name: str = ""
    """Which of the limits it is: ``5-hour limit``; empty where the agent did not say."""


@final
class Spent(NamedTuple):
    """What has been used of something."""

    text: str
    """``31.4k in, 2.0k out of 2.0M tokens`` or ``$0.50 of $5.00``."""
    share: float | None = None
    """How much of its budget that is: 1.0 is all of it; None without a budget."""


@final
@dataclass(frozen=True)  # without slots: what follows from it is worked out once
class Board:
    """A run and its tasks as they are at ``now``."""

    run: RunView
    tasks: Mapping[str, TaskView]
    """In file order."""
    now: datetime
    condition: Condition = Condition.RUNNING
    number: int = 0
    """The number of the latest event that it includes; 0 where nobody counts."""

    @classmethod
    def of(cls, document: Mapping[str, Any], now: datetime, condition: Condition = Condition.RUNNING) -> "Board":
        """Read a snapshot: the document of the state file, with the number of the latest event.

        ``condition`` is that of a run which does not say itself that it has ended.
        """
        run = read_run(as_table(document.get("project")), as_table(document.get("nova")))
        tasks = read_tasks(as_table(document.get("tasks")))
        return cls(run, tasks, now, condition_of(run, condition), as_count(document.get("number"))).at(now)

    def applied(self, change: Mapping[str, Any], now: datetime) -> "Board":
        """Return it with what has changed: the same document, with those tasks only that are new or different."""
        run = self.run
        if not change.keys().isdisjoint(PARTS):
            known = {**run_document(run), **{part: as_table(change[part]) for part in PARTS if part in change}}
            run = read_run(known["project"], known["nova"])
        tasks = {**self.tasks, **read_tasks(as_table(change.get("tasks")))}
        number = max(as_count(change.get("number")), self.number)
        return Board(run, tasks, now, condition_of(run, self.condition), number).at(now)

    def at(self, now: datetime) -> "Board":
        """Return it as it looks at another moment: the clocks of what runs go on by themselves."""
        tasks = self.tasks
        if not self.is_over:
            since = self.run.started_at
            clocks = {
                task.id: replace(task, duration_seconds=looks.seconds_until(now, task, since)) for task in self.running
            }
            tasks = {**tasks, **clocks} if clocks else tasks
        return replace(self, tasks=tasks, now=now)

    @property
    def selection(self) -> "Board":
        """The tasks that the run is to run, alone; what they have used is then not what its budget has been used by."""
        tasks = {task.id: task for task in self.tasks.values() if task.is_selected}
        if len(tasks) == len(self.tasks):
            return self
        return replace(self, tasks=tasks, run=replace(self.run, budgets=()))

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.condition is not Condition.RUNNING

    @cached_property
    def total(self) -> Rollup:
        """All tasks, summed up."""
        return roll_up(self.tasks.values())

    @cached_property
    def running(self) -> Sequence[TaskView]:
        """The tasks that are at work, in file order; once the run is over, those that were at work when it was lost."""
        return [task for task in self.tasks.values() if task.state is TaskState.IN_PROGRESS]

    def look(self, task: TaskView) -> Look:
        """Return how a task's state is shown."""
        return look_of(task, is_over=self.is_over)

    def doing(self, task: TaskView) -> str:
        """Say what a task does, why it failed, or what it waits for."""
        return looks.doing(task, self.now, is_over=self.is_over)

    def silent_seconds(self, task: TaskView) -> int | None:
        """Return for how many whole seconds a running agent has printed nothing, if that is worth a word."""
        seconds = None if self.is_over else looks.silent_seconds(task, self.now)
        return None if seconds is None else int(seconds)

    @property
    def alive(self) -> str:
        """Say how the run is: ``running (pid 4711), started 12:01:07``."""
        if self.is_over:
            return str(self.condition)
        run = self.run
        by = f" (pid {run.pid})" if run.pid else ""
        since = f", started {clock_time(run.started_at)}" if run.started_at else ""
        held_back = ", stopping" if run.is_stopping else ", paused: nothing new begins" if run.is_paused else ""
        return f"{self.condition}{by}{since}{held_back}"

    @cached_property
    def needs(self) -> Sequence[Need]:
        """What needs a person: failed tasks with what they block, gates, what waiting does not cure, denied tools."""
        return [*self._failed(), *self._gates(), *self._held(), *self._spent(), *self._denied()]

    def _failed(self) -> list[Need]:
        blocks: dict[str, list[str]] = {}
        for task in self.tasks.values():
            for blocker in task.blocked_by if task.state is TaskState.BLOCKED else ():
                blocks.setdefault(blocker, []).append(task.id)
        return [
            Need(Why.FAILED, self.look(task), self.doing(task), (task.id,), tuple(blocks.get(task.id, ())))
            for task in self.tasks.values() if task.state is TaskState.FAILED
        ]  # fmt: skip

    def _gates(self) -> list[Need]:
        waiting = [task for task in self.tasks.values() if task.needs_approval]
        return [
            Need(Why.GATE, NEEDS_APPROVAL, "waits for approval", (task.id,), cure=f"`nova approve {task.id}`")
            for task in waiting
        ]

    def _held(self) -> list[Need]:
        held = [hold for hold in self.run.holds if hold.until is None or (self.is_over and hold.waiting)]
        needs = [
            Need(Why.HELD, ON_HOLD, f"{hold.reason}: {hold.error}", hold.waiting, cure=hold.cure) for hold in held
        ]  # fmt: skip
        told = {task_id for need in needs for task_id in need.task_ids}
        told.update(task_id for budget in self.run.budgets for task_id in budget.waiting)
        waiting: dict[str, list[str]] = {}
        for task in self.tasks.values():
            if is_on_hold(task) and task.id not in told:
                waiting.setdefault(task.reason or "", []).append(task.id)
        return [*needs, *(Need(Why.HELD, ON_HOLD, why, tuple(task_ids)) for why, task_ids in waiting.items())]

    def _spent(self) -> list[Need]:
        used_up = [budget for budget in self.run.budgets if budget.is_used_up]
        return [Need(Why.SPENT, USED_UP, describe_used_up(budget), budget.waiting) for budget in used_up]

    def _denied(self) -> list[Need]:
        denied = [task for task in self.tasks.values() if task.state is TaskState.COMPLETED and task.denied]
        again = run_command(self.run.cascade_file)
        return [
            Need(Why.DENIED, LOOKS[task.state], self.doing(task), (task.id,), cure=cure_of(task.denied, again))
            for task in denied
        ]  # fmt: skip

    @cached_property
    def limits(self) -> Sequence[Limit]:
        """The usage limits that tasks wait for."""
        waiting: dict[str, list[TaskView]] = {}
        for task in () if self.is_over else self.tasks.values():
            if is_waiting_for_a_limit(task):
                waiting.setdefault(self.doing(task), []).append(task)
        return [
            Limit(
                text, tuple(task.id for task in tasks), tasks[0].reason or "", tasks[0].retry_at, self._name(tasks[0])
            )
            for text, tasks in waiting.items()
        ]

    def _name(self, task: TaskView) -> str:
        """Return which limit a task waits for, as its agent calls it."""
        kinds = (
            hold.kind for hold in self.run.holds
            if hold.until == task.retry_at and (task.reason or "").endswith(f" of {hold.agent}")
        )  # fmt: skip
        return next((limit_name(kind) for kind in kinds if kind), "")

    @cached_property
    def spent(self) -> Sequence[Spent]:
        """The tokens and the money that it has used so far, against the run's budget where it has one."""
        sums = self.total.sums
        budget = next((budget for budget in self.run.budgets if budget.task_id is None), None)
        most_tokens, most_usd = (budget.max_tokens, budget.max_cost_usd) if budget else (None, None)
        spent, usage = list[Spent](), sums.usage
        if usage.total or most_tokens is not None:
            text = f"{short_count(usage.total - usage.output_tokens)} in, {short_count(usage.output_tokens)} out"
            of_all = f" of {short_count(most_tokens)} tokens" if most_tokens is not None else ""
            spent.append(Spent(text + of_all, share_of(budget.tokens if budget else 0, most_tokens)))
        if sums.cost_usd or sums.estimated_usd or most_usd is not None:
            cost = cost_of_all(sums)
            text = f"{describe_cost(0.0) if cost == UNKNOWN else cost} of {describe_cost(most_usd)}"
            spent.append(
                Spent(cost) if most_usd is None else Spent(text, share_of(budget.cost_usd if budget else 0.0, most_usd))
            )
        return spent

    @cached_property
    def words(self) -> Mapping[str, int]:
        """How many tasks are shown with which word: ``running`` 3, ``completed`` 5."""
        return Counter(self.look(task).word for task in self.tasks.values())

    @property
    def sentence(self) -> str:
        """Sum up in one line: how many tasks are done, what they have used, and how long that took."""
        total, sums = self.total, self.total.sums
        parts = count_states([task.state for task in self.tasks.values()])
        parts += [f"{total.in_progress} {'lost' if self.is_over else 'running'}"] if total.in_progress else []
        left_out = sum(not task.is_selected and task.state is not TaskState.COMPLETED for task in self.tasks.values())
        parts += [f"{left_out} not selected"] if left_out else []
        if sums.usage.total:
            complete = sums.usage_is_final or not self.is_over
            parts.append(f"{describe_tokens(sums.usage.total, complete=complete)} tokens")
        if (cost := cost_of_all(sums)) != UNKNOWN:
            parts.append(cost)
        return " · ".join([*parts, f"{describe_duration(sums.duration_seconds)} of work"])


def share_of(used: float, most: float | None) -> float | None:
    """Return which share of a budget is used; None without a budget."""
    return None if most is None else used / most if most else 1.0


def describe_used_up(budget: BudgetView) -> str:
    """Say of a used-up budget whose it is, how large it was and what was spent."""
    by_cost = budget.max_cost_usd is not None and budget.cost_usd >= budget.max_cost_usd
    most = describe_cost(budget.max_cost_usd) if by_cost else f"{budget.max_tokens or 0:,} tokens"
    used = describe_cost(budget.cost_usd) if by_cost else f"{budget.tokens:,}"
    whose = "the run's" if budget.task_id is None else f"{budget.task_id}'s"
    return f"{whose} budget of {most} is used up: {used} spent"


def condition_of(run: RunView, otherwise: Condition) -> Condition:
    """Return how a run has ended, as it says itself; ``otherwise`` where it does not."""
    return otherwise if run.end is None else ENDS[run.end]
