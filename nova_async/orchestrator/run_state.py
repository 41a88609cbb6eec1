"""Where a run stands: everything that ``decide`` knows about it. Pure."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from nova_async.cascade import Cascade
from nova_async.orchestrator.budget import Budget, Spending
from nova_async.orchestrator.holding import Account, with_dependents, with_waiting
from nova_async.orchestrator.pace import AccountPace
from nova_async.orchestrator.schedule import Schedule
from nova_async.usage import Gauge
from nova_async.views import BudgetView, Hold
from nova_async.words import Outcome, TaskState

__all__ = ["FreeMemory", "JournalTrouble", "RunState"]


@final
@dataclass(slots=True)
class JournalTrouble:
    """A journal that takes nothing: since when, how often it was tried, and when it is tried again."""

    since: float
    times: int
    again_at: float


@final
@dataclass(slots=True)
class FreeMemory:
    """How many bytes must be available for another attempt to begin, and how many were when somebody last looked."""

    wanted: int | None = None
    available: int | None = None
    told: bool = False
    """Whether it was said that tasks wait for it."""
    look_at: float | None = None
    """When to look again, while they do."""

    @property
    def is_short(self) -> bool:
        """Whether less is available than must be."""
        return self.wanted is not None and self.available is not None and self.available < self.wanted


@final
@dataclass(slots=True)
class Gate:
    """A hold that ends by itself; its moments are in seconds of UTC, but for ``tried_since``."""

    since: float
    """When it was closed."""
    opens_at: float
    """When one task may try."""
    times: int = 0
    """How often in a row a task that tried was refused."""
    is_ours: bool = True
    """Whether a task of this run has met the limit, and not only one of another run."""
    tried_since: float | None = None
    """Since when the process of the task that tries runs, on the clock of ``now``."""


@final
@dataclass(slots=True)
class RunState:
    """Where a run stands; changed by ``decide`` alone.

    ``outcomes`` are those of the attempts that count, by task, the latest last.
    """

    cascade: Cascade
    schedule: Schedule
    outcomes: dict[str, list[Outcome]]
    budget: Budget = field(default_factory=Budget)
    task_budgets: dict[str, Budget] = field(default_factory=dict)
    """Of the tasks that have one of their own."""
    out_of_budget: set[str] = field(default_factory=set)
    """Tasks that could have begun, and wait for more budget of their own."""
    capped: frozenset[str] = frozenset()
    """Tasks whose agents hold a cap in dollars by themselves, and are told it."""
    tells_cost_live: set[tuple[str, str | None]] = field(default_factory=set)
    """Agents, each with a model, whose costs are known while they work."""
    to_check: set[str] = field(default_factory=set)
    """Tasks of which only the check is left, which costs nothing."""
    done: set[str] = field(default_factory=set)
    """Running tasks whose agents have told their final result."""
    stopped_by_budget: list[str] = field(default_factory=list)
    """Tasks whose agents were asked to stop when the run's budget was used up."""
    spared: set[str] = field(default_factory=set)
    """Those of them that were not asked to stop when the run's budget was used up."""
    chance: random.Random = field(default_factory=random.Random)
    reached: set[str] = field(default_factory=set)
    """Milestones."""
    stopping: bool = False
    paused: bool = False
    """Whether somebody wants nothing new to begin for now."""
    stopped: set[str] = field(default_factory=set)
    """Tasks that somebody wanted to stop in this run; their attempts may not have ended yet."""
    forgetting: set[str] = field(default_factory=set)
    """Tasks that are to run again as soon as the journal has forgotten what they have come to."""
    unapproved: set[str] = field(default_factory=set)
    """Tasks behind a gate that nobody has approved."""
    approving: set[str] = field(default_factory=set)
    """Those of them that somebody has approved, which the journal has not taken yet."""
    waits_for_approval: bool = True
    """Whether the run goes on while nothing is left but tasks that need approval."""
    pauses: list[tuple[float, str]] = field(default_factory=list)
    """A heap of when paused tasks are tried again; those count that ``paused_until`` has, too."""
    paused_until: dict[str, float] = field(default_factory=dict)
    """When each paused task is tried again."""
    lost: Counter[str] = field(default_factory=Counter)
    shortages: Counter[str] = field(default_factory=Counter)
    unserved: Counter[str] = field(default_factory=Counter)
    """How many attempts of each task in this run were refused by the account or not started."""
    overloads: Counter[str] = field(default_factory=Counter)
    """How many attempts of each task in a row met a service that was overloaded or could not be reached."""
    holds: dict[Account, Hold] = field(default_factory=dict)
    """Accounts on which no more tasks may begin, and why."""
    held: dict[str, Account] = field(default_factory=dict)
    """Tasks that could have begun, each with the account that it waits for."""
    trying: dict[Account, str] = field(default_factory=dict)
    """For an account on hold, the one task that is still retried; the others wait for its outcome."""
    gates: dict[Account, Gate] = field(default_factory=dict)
    """Those of the holds that end by themselves."""
    paces: dict[Account, AccountPace] = field(default_factory=dict)
    """By login, how full its limits are and when its next task may start."""
    paced: dict[str, Account] = field(default_factory=dict)
    """Tasks that could have begun, each with the account whose pace it waits for."""
    serving: dict[str, Account] = field(default_factory=dict)
    """What each running attempt of this run works on."""
    gauges_of: dict[str, tuple[Gauge, ...]] = field(default_factory=dict)
    """What each of them has told last of its account's limits."""
    utc_offset: float = 0.0
    """Seconds from the clock of ``now`` to UTC; it grows while a machine sleeps, and when its clock is set."""
    journal: JournalTrouble | None = None
    memory: FreeMemory = field(default_factory=FreeMemory)
    wake_at: float | None = None
    max_workers: int = 1
    """How many may run at once where the machine has room for them."""
    finished: bool = False

    @classmethod
    def of(
        cls,
        cascade: Cascade,
        *,
        max_workers: int,
        outcomes: Mapping[str, Sequence[Outcome]] | None = None,
        completed: Iterable[str] = (),
        failed: Iterable[str] = (),
        running: Iterable[str] = (),
        reached: Iterable[str] = (),
        budget: Budget | None = None,
        spent: Mapping[str, Spending] | None = None,
        to_check: Iterable[str] = (),
        capped: Iterable[str] = (),
        chance: random.Random | None = None,
        approved: Collection[str] = (),
        waits_for_approval: bool = True,
        only: Collection[str] | None = None,
    ) -> "RunState":
        """Return the state of a run that is about to begin.

        ``completed`` and ``failed`` are the tasks that need no attempt in it, ``running`` those whose attempts of an
        earlier run still go on. ``spent`` is what earlier attempts of each task have used, ``to_check`` are those with
        only the check left, ``approved`` those that somebody has approved. With ``only`` no other task begins.
        """
        unapproved = {task.id for task in cascade.tasks.values() if task.options.gate and task.id not in approved}
        return cls(
            cascade=cascade,
            schedule=Schedule(
                cascade,
                max_workers=max_workers,
                completed=list(completed),
                failed=list(failed),
                running=list(running),
                only=only,
                barred=unapproved,
            ),
            outcomes={task: list((outcomes or {}).get(task, ())) for task in cascade.tasks},
            budget=budget or Budget(),
            task_budgets=task_budgets(cascade, spent or {}),
            to_check=set(to_check),
            capped=frozenset(capped),
            chance=chance or random.Random(),
            reached=set(reached),
            unapproved=unapproved,
            waits_for_approval=waits_for_approval,
            memory=FreeMemory(cascade.settings.min_free_memory),
            max_workers=max_workers,
        )

    def retry_at(self, task_id: str) -> float | None:
        """Return when a paused task is tried again."""
        return self.paused_until.get(task_id)

    def is_stopped(self, task_id: str) -> bool:
        """Tell whether a task waits because somebody has stopped it."""
        return task_id in self.stopped and self.schedule.state(task_id) is not TaskState.IN_PROGRESS

    def needs_approval(self, task_id: str) -> bool:
        """Tell whether a task waits for nothing but somebody's approval."""
        if task_id not in self.unapproved or task_id in self.stopped or task_id in self.forgetting:
            return False
        return self.schedule.is_free(task_id)

    @property
    def waits_for_somebody(self) -> bool:
        """Whether some task will begin once it is approved, or once the journal has taken that or forgotten its end."""
        if self.forgetting or self.approving:
            return True
        return self.waits_for_approval and any(self.needs_approval(task_id) for task_id in self.unapproved)

    def held_by(self, task_id: str, account: Account) -> Account | None:
        """Return what is on hold, if that keeps a task from beginning on this account; None if it may begin.

        One that tries whether a limit is over is kept by no pace.
        """
        for part in account.parts():
            if part in self.holds and self.trying.get(part) != task_id:
                return part
        login = account.parts()[1]
        pace = self.paces.get(login)
        if pace is None or pace.hold is None or pace.next_task == task_id or task_id in self.trying.values():
            return None
        return login

    def last_start(self, login: Account) -> float:
        """Return when anybody is known to have last started something on a login, in seconds of UTC; 0 if nobody is."""
        pace = self.paces.get(login)
        return pace.started_at or 0.0 if pace is not None else 0.0

    def all_holds(self) -> Mapping[Account, Hold]:
        """Return what may keep tasks from beginning, those accounts too whose starts are slowed down."""
        paces = {account: pace.hold for account, pace in self.paces.items() if pace.hold is not None}
        return {**paces, **self.holds}

    @property
    def has_halted(self) -> bool:
        """Whether tasks are left for a reason other than a failure: a used-up budget, an agent on hold, a gate."""
        left = self.holds or self.out_of_budget or self.stopped or any(map(self.needs_approval, self.unapproved))
        return self.budget.is_used_up or (bool(left) and not self.schedule.failed)

    def is_out_of_budget(self, task_id: str) -> bool:
        """Tell whether a task's own budget is used up, and it needs some to go on."""
        budget = self.task_budgets.get(task_id)
        return budget is not None and budget.is_used_up and task_id not in self.to_check

    def budget_reason(self, task_id: str) -> str | None:
        """Say that a task waits for more budget of its own; None for any other task."""
        if task_id not in self.out_of_budget:
            return None
        budget = self.task_budgets[task_id]
        return f"its budget of {budget.limit_in_words} is used up ({budget.used_in_words} spent)"

    def has_budget(self, task_id: str) -> bool:
        """Tell whether it matters what a task spends while it runs."""
        return self.budget.is_set or task_id in self.task_budgets

    def budgets_now(self) -> tuple[BudgetView, ...]:
        """Return the run's budget, if it has one, and those of tasks that wait for more."""
        left: list[str] = []  # it takes a look at every task, so only where somebody waits
        if self.budget.is_used_up or self.out_of_budget:
            left = [task_id for task_id in self.schedule.with_state(TaskState.WAITING, TaskState.READY)
                    if self.schedule.is_selected(task_id)]  # fmt: skip
        views = [view_of(self.budget, None, self.stopped_by_budget, left)] if self.budget.is_set else []
        unfinished = set(left)
        for task_id in self.cascade.tasks if self.out_of_budget else ():
            if task_id in self.out_of_budget:
                waiting = with_dependents((task_id,), self.cascade, unfinished)
                views.append(view_of(self.task_budgets[task_id], task_id, (), waiting))
        return tuple(views)

    def kind_of(self, task_id: str) -> tuple[str, str | None]:
        """Return a task's agent and model: what is known of the one's costs is known of all like it."""
        options = self.cascade.tasks[task_id].options
        return options.agent, options.model

    def holds_now(self) -> tuple[Hold, ...]:
        """Return what is on hold, with all tasks that wait for it."""
        if not self.holds:
            return ()
        return with_waiting(self.holds, self.held, self.cascade, self.schedule.with_state(TaskState.WAITING))

    def hold_of(self, task_id: str) -> Hold | None:
        """Return what a held task waits for; None for any other task."""
        if (account := self.held.get(task_id)) is not None:
            return self.holds.get(account)
        if (account := self.paced.get(task_id)) is not None and not self.schedule.is_draining:
            return self.paces[account].hold
        return None


def view_of(budget: Budget, task_id: str | None, stopped: Iterable[str], waiting: Iterable[str]) -> BudgetView:
    """Return how a budget looks from outside."""
    return BudgetView(
        task_id=task_id, max_cost_usd=budget.max_cost_usd, max_tokens=budget.max_tokens,
        cost_usd=budget.total.cost_usd, tokens=budget.total.tokens, is_used_up=budget.is_used_up,
        stopped=tuple(stopped), waiting=tuple(waiting) if budget.is_used_up else (),
    )  # fmt: skip


def task_budgets(cascade: Cascade, spent: Mapping[str, Spending]) -> dict[str, Budget]:
    """Return the budgets of the tasks that have one of their own, with what earlier attempts have used of it."""
    budgets = {}
    for task in cascade.tasks.values():
        options = task.options
        if options.budget_usd is not None or options.budget_tokens is not None:
            budgets[task.id] = Budget(
                options.budget_tokens, options.budget_usd, spent.get(task.id, Spending()), f"{task.id}'s"
            )
    return budgets
