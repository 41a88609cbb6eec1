"""What follows from what has happened: (state, event, now) → actions. Pure, so that any order of events can be tried.

The orchestrator tells of everything that happens, and does what it is told to. Nothing here waits, reads a clock or
writes anything down; ``now`` is in seconds on a clock that nobody sets.
"""

import heapq
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from nova_async.cascade import Cascade
from nova_async.orchestrator.actions import (
    Action,
    Begin,
    Completed,
    Failed,
    Finish,
    GiveUp,
    HeldBack,
    Overspent,
    Reached,
    Retrying,
    StopTask,
    Suspended,
    WakeAt,
)
from nova_async.orchestrator.budget import Budget
from nova_async.orchestrator.happenings import (
    Begun,
    Ended,
    Happening,
    Kept,
    Refused,
    Spent,
    StartedWell,
    Stop,
    Woken,
    Workers,
    Written,
)
from nova_async.orchestrator.holding import Account, with_waiting
from nova_async.orchestrator.retry import FREE, UNSERVED, pause, retry_delay
from nova_async.orchestrator.schedule import Schedule
from nova_async.views import Hold
from nova_async.words import OnFailure, Outcome, TaskState

__all__ = ["RunState", "decide"]

MOST_LOST = 3  # attempts of one task in one run; a fourth is no accident of the machine that loses them
MOST_SHORTAGES = 20  # in a row; with the pauses between them some nine minutes without room for one process
SHORTAGE_PAUSE = (0.5, 30.0)  # seconds, first and longest
JOURNAL_PAUSE = (0.5, 15.0)  # seconds between two tries to write into a journal that takes nothing
JOURNAL_PATIENCE = 60.0  # seconds of a journal that takes nothing while nothing runs: then the run ends


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


def decide(state: RunState, event: Happening, now: float) -> list[Action]:
    """Take note of what has happened, and return what is to be done now, in this order."""
    actions = list(_note(state, event, now))
    if isinstance(event, Begun | Ended):
        actions += _milestones(state)
    actions += _watch_the_budget(state)
    actions += _begin_what_may(state)
    actions += _wake(state)
    if state.schedule.is_over and not state.finished:
        state.finished = True
        actions.append(Finish())
    return actions


def _note(state: RunState, event: Happening, now: float) -> Iterable[Action]:
    match event:
        case Begun():
            return ()
        case Written():
            state.journal = None
            return ()
        case Refused(task_id):
            return _refused(state, task_id, now)
        case StartedWell(task_id):
            state.shortages.pop(task_id, None)
            _have_room_for_one_more(state)
            return ()
        case Spent(task_id, tokens, cost_usd):
            state.budget.note_running(task_id, tokens, cost_usd)
            return ()
        case Ended():
            return _ended(state, event, now)
        case Kept(task_id, account):
            _keep(state, task_id, account)
            if state.journal is not None:  # this task cannot try whether it works again; another one may
                state.journal.again_at = now
            return ()
        case Woken():
            return _woken(state, now)
        case Stop(grace):
            return _stop(state, grace)
        case Workers(max_workers):  # pragma: no branch - the last that there is
            state.max_workers = state.schedule.places = max_workers
            return ()


def _ended(state: RunState, ended: Ended, now: float) -> Iterable[Action]:
    task_id, outcome = ended.task_id, ended.outcome
    state.budget.note_end(task_id, ended.tokens, ended.cost_usd)
    # An agent may also have given up at the cap that the rest of the budget had set it.
    ours = state.stopping or state.budget.is_used_up
    if outcome is Outcome.CANCELLED and not ours:
        outcome = Outcome.LOST  # somebody else ended it: no verdict about the task, and no wish of the user's
    state.outcomes[task_id].append(outcome)
    if outcome in UNSERVED:
        state.unserved[task_id] += 1
    if ended.hold is not None and ended.account is not None:
        return _suspended(state, task_id, ended.account.held_by(ended.hold), ended.hold, now)
    if outcome not in FREE:
        _release(state, task_id)
    if outcome is Outcome.OK:
        _have_room_for_one_more(state)
        state.schedule.complete(task_id)
        return (Completed(task_id),)
    if outcome is Outcome.CANCELLED:
        state.schedule.put_back(task_id)
        return ()
    delay = _delay(state, task_id, outcome)
    if delay is None:
        return _fail(state, task_id)
    if state.schedule.is_draining:
        state.schedule.put_back(task_id)
        return ()
    return (_retry_later(state, task_id, delay, now),)


def _retry_later(state: RunState, task_id: str, delay: float, now: float) -> Action:
    state.schedule.retry_later(task_id)
    heapq.heappush(state.pauses, (now + delay, task_id))
    state.paused_until[task_id] = now + delay
    return Retrying(task_id, delay)


def _suspended(state: RunState, task_id: str, account: Account, hold: Hold, now: float) -> Iterable[Action]:
    """Let no other task begin on this account. The first one refused is retried, if the plan lists its outcome."""
    is_news = account not in state.holds
    if is_news:
        state.holds[account] = hold
        state.trying[account] = task_id
    delay = _delay(state, task_id, hold.outcome) if state.trying.get(account) == task_id else None
    if delay is not None and not state.schedule.is_draining:
        yield _retry_later(state, task_id, delay, now)
    else:
        if state.trying.get(account) == task_id:
            del state.trying[account]
        _keep(state, task_id, account)
        yield HeldBack(task_id, hold)
    if is_news:
        yield Suspended(hold)


def _keep(state: RunState, task_id: str, account: Account) -> None:
    state.schedule.put_back(task_id)
    state.held[task_id] = account


def _release(state: RunState, task_id: str) -> None:
    """Let the held tasks begin that were waiting for this one to be served: it was."""
    for account in [account for account, tried in state.trying.items() if tried == task_id]:
        del state.trying[account], state.holds[account]
        for held in [held for held, where in state.held.items() if where == account]:
            del state.held[held]
            state.schedule.retry_now(held)


def _have_room_for_one_more(state: RunState) -> None:
    """Take something that went well as a sign that the machine has room again."""
    state.schedule.places = min(state.max_workers, state.schedule.places + 1)


def _delay(state: RunState, task_id: str, outcome: Outcome) -> float | None:
    """Return after how many seconds a task is tried again; None if it is not."""
    if outcome is Outcome.LOST:
        state.lost[task_id] += 1
        times = state.lost[task_id]
        return pause(times, SHORTAGE_PAUSE, state.chance) if times <= MOST_LOST else None
    if outcome is Outcome.NO_RESOURCES:
        # What runs has room: no more than these at once until one more has started well.
        state.schedule.places = max(1, state.schedule.slots_in_use - 1)
        state.shortages[task_id] += 1
        times = state.shortages[task_id]
        return pause(times, SHORTAGE_PAUSE, state.chance) if times <= MOST_SHORTAGES else None
    settings, retries = state.cascade.settings, state.cascade.tasks[task_id].options.retries
    if outcome in UNSERVED:
        times = state.unserved[task_id]
        may_be_retried = outcome in settings.retry_on and times <= retries
        return pause(times, settings.backoff, state.chance) if may_be_retried else None
    return retry_delay(
        state.outcomes[task_id],
        retries=retries,
        retry_on=settings.retry_on,
        backoff=settings.backoff,
        chance=state.chance,
    )


def _fail(state: RunState, task_id: str) -> Iterable[Action]:
    blocked = state.schedule.fail(task_id)
    yield Failed(task_id, tuple(blocked))
    match state.cascade.tasks[task_id].options.on_failure:
        case OnFailure.DRAIN:
            yield from _drain(state)
        case OnFailure.STOP:
            yield from _stop(state, None)


def _stop(state: RunState, grace: float | None) -> Iterable[Action]:
    state.stopping = True
    yield from _drain(state)
    for task_id in state.schedule.with_state(TaskState.IN_PROGRESS):
        yield StopTask(task_id, state.cascade.tasks[task_id].options.grace if grace is None else grace)


def _drain(state: RunState) -> Iterable[Action]:
    state.pauses.clear()
    state.paused_until.clear()
    state.schedule.drain()
    return ()


def _refused(state: RunState, task_id: str, now: float) -> Iterable[Action]:
    state.schedule.give_back(task_id)
    trouble = state.journal or JournalTrouble(since=now, times=0, again_at=now)
    trouble.times += 1
    trouble.again_at = now + pause(trouble.times, JOURNAL_PAUSE, state.chance)
    state.journal = trouble
    return ()


def _woken(state: RunState, now: float) -> Iterable[Action]:
    while state.pauses and state.pauses[0][0] <= now:
        _, paused = heapq.heappop(state.pauses)
        del state.paused_until[paused]
        state.schedule.retry_now(paused)
    state.wake_at = None
    trouble = state.journal
    if trouble is None or trouble.again_at > now:
        return
    if not state.schedule.slots_in_use and now - trouble.since > JOURNAL_PATIENCE:
        yield GiveUp()
        yield from _drain(state)
    elif (first := state.schedule.start_next()) is not None:
        trouble.again_at = float("inf")  # until this one has been written or refused
        yield Begin(first)


def _begin_what_may(state: RunState) -> Iterable[Action]:
    """Begin whatever there is a place for. Whatever else may hold tasks back is asked here."""
    while state.journal is None and (task_id := state.schedule.start_next()) is not None:
        yield Begin(task_id)


def _watch_the_budget(state: RunState) -> Iterable[Action]:
    """Warn before the run's budget is used up, and ask everybody to stop when it is."""
    if (warning := state.budget.warning()) is not None:
        yield Overspent(warning)
    if state.budget.is_used_up and not state.stopping:
        yield from _stop(state, None)


def _milestones(state: RunState) -> Iterable[Action]:
    completed, failed = state.schedule.completed, state.schedule.failed
    for milestone in state.cascade.milestones:
        if milestone.id not in state.reached and milestone.is_reached(
            completed=completed, failed=failed, total=len(state.cascade.tasks)
        ):
            state.reached.add(milestone.id)
            yield Reached(milestone)


def _wake(state: RunState) -> Iterable[Action]:
    """Ask to be woken for whatever comes first, unless that is arranged already."""
    moments = [state.pauses[0][0]] if state.pauses else []
    if state.journal is not None and state.schedule.count(TaskState.READY) and not state.schedule.is_draining:
        moments.append(state.journal.again_at)
    first = min(moments, default=None)
    if first is not None and first != float("inf") and first != state.wake_at:
        state.wake_at = first
        yield WakeAt(first)
