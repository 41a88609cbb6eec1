"""Where a run stands: everything that ``decide`` knows about it. Pure."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from nova_async.cascade import Cascade
from nova_async.orchestrator.budget import Budget
from nova_async.orchestrator.holding import Account, with_waiting
from nova_async.orchestrator.schedule import Schedule
from nova_async.views import Hold
from nova_async.words import Outcome, TaskState

__all__ = ["JournalTrouble", "RunState"]


@final
@dataclass(slots=True)
class JournalTrouble:
    """A journal that takes nothing: since when, how often it was tried, and when it is tried again."""

    since: float
    times: int
    again_at: float


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
    chance: random.Random = field(default_factory=random.Random)
    reached: set[str] = field(default_factory=set)
    """Milestones."""
    stopping: bool = False
    pauses: list[tuple[float, str]] = field(default_factory=list)
    """A heap of when each paused task is tried again."""
    paused_until: dict[str, float] = field(default_factory=dict)
    """The same by task, to look one of thousands up."""
    lost: Counter[str] = field(default_factory=Counter)
    shortages: Counter[str] = field(default_factory=Counter)
    unserved: Counter[str] = field(default_factory=Counter)
    """How many attempts of each task in this run were refused by the account or not started."""
    holds: dict[Account, Hold] = field(default_factory=dict)
    """Accounts on which no more tasks may begin, and why."""
    held: dict[str, Account] = field(default_factory=dict)
    """Tasks that could have begun, each with the account that it waits for."""
    trying: dict[Account, str] = field(default_factory=dict)
    """For an account on hold, the one task that is still retried; the others wait for its outcome."""
    journal: JournalTrouble | None = None
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
        chance: random.Random | None = None,
        only: Collection[str] | None = None,
    ) -> "RunState":
        """Return the state of a run that is about to begin.

        ``completed`` and ``failed`` are the tasks that need no attempt in it, ``running`` those whose attempts of an
        earlier run still go on. With ``only`` no other task begins.
        """
        return cls(
            cascade=cascade,
            schedule=Schedule(
                cascade,
                max_workers=max_workers,
                completed=list(completed),
                failed=list(failed),
                running=list(running),
                only=only,
            ),
            outcomes={task: list((outcomes or {}).get(task, ())) for task in cascade.tasks},
            budget=budget or Budget(),
            chance=chance or random.Random(),
            reached=set(reached),
            max_workers=max_workers,
        )

    def retry_at(self, task_id: str) -> float | None:
        """Return when a paused task is tried again."""
        return self.paused_until.get(task_id)

    def held_by(self, task_id: str, account: Account) -> Account | None:
        """Return what is on hold, if that keeps a task from beginning on this account; None if it may begin."""
        for part in account.parts():
            if part in self.holds and self.trying.get(part) != task_id:
                return part
        return None

    @property
    def has_halted(self) -> bool:
        """Whether tasks are left for a reason other than a failure: a used-up budget, an agent on hold."""
        return self.budget.is_used_up or (bool(self.holds) and not self.schedule.failed)

    def holds_now(self) -> tuple[Hold, ...]:
        """Return what is on hold, with all tasks that wait for it."""
        return with_waiting(self.holds, self.held, self.cascade, self.schedule.with_state(TaskState.WAITING))

    def hold_of(self, task_id: str) -> Hold | None:
        """Return what a held task waits for; None for any other task."""
        account = self.held.get(task_id)
        return self.holds.get(account) if account is not None else None
