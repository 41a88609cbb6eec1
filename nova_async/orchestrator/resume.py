"""What earlier runs of a plan mean for the next one. Pure."""

from collections.abc import Collection, Iterable, Mapping
from functools import reduce

from nova_async.cascade import Cascade
from nova_async.cascade.selection import unmet_needs
from nova_async.errors import SelectionError
from nova_async.journal.history import History
from nova_async.orchestrator.budget import Budget, Spending
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.retry import FREE, NO_VERDICT, may_be_retried
from nova_async.orchestrator.run_state import RunState
from nova_async.words import OnBudget, Outcome

__all__ = ["built_on", "check_selection", "completed_tasks", "failed_tasks", "needed_by", "resumed_state",
           "take_over"]  # fmt: skip


def take_over(cascade: Cascade, history: History) -> dict[str, TaskKnown]:
    """Return what is known of each task of the plan.

    What was spent before the plan was begun anew is in no sum: it was another try.
    """
    since = history.started_at
    known = {}
    for task in cascade.tasks.values():
        attempts = history.attempts.get(task.id, ())
        this_try = [
            attempt for attempt in attempts if attempt.counts or since is None or attempt.start.started_at >= since
        ]
        known[task.id] = TaskKnown(task, attempts, this_try, history.earlier.get(task.id))
    return known


def resumed_state(
    cascade: Cascade,
    known: Mapping[str, TaskKnown],
    *,
    max_workers: int,
    reached: Iterable[str] = (),
    running: Iterable[str] = (),
    only: Collection[str] | None = None,
    capped: Iterable[str] = (),
    approved: Collection[str] = (),
    waits_for_approval: bool = True,
) -> RunState:
    """Return the state of a run that goes on from there; ``running`` are tasks that an executor never stopped.

    With ``only`` no other task begins. ``capped`` are the tasks whose agents are told what they may cost, ``approved``
    those that somebody has approved; ``waits_for_approval`` is whether the run waits for that of others.
    """
    running = set(running)
    completed = [task_id for task_id, task in known.items() if task_id not in running and is_completed(task)]
    done = {*completed, *running}
    failed = [task_id for task_id, task in known.items() if task_id not in done and has_given_up(cascade, task)]
    spent = {task_id: task.spending for task_id, task in known.items()}
    return RunState.of(
        cascade,
        max_workers=max_workers,
        outcomes={task_id: verdicts(task) for task_id, task in known.items()},
        completed=completed,
        failed=failed,
        running=running,
        reached=reached,
        only=only,
        budget=Budget(
            max_tokens=cascade.settings.budget_tokens,
            max_cost_usd=cascade.settings.budget_usd,
            spent=reduce(Spending.plus, spent.values(), Spending()),
        ),
        spent=spent,
        to_check=[task_id for task_id, task in known.items() if task.left_to_check() is not None],
        capped=capped,
        approved=approved,
        waits_for_approval=waits_for_approval,
    )


def check_selection(cascade: Cascade, history: History, only: Collection[str], running: Iterable[str] = ()) -> None:
    """Raise ``SelectionError`` if a task of ``only`` needs one that is not among them and has not completed."""
    known = take_over(cascade, history)
    settled = {*running, *(task_id for task_id, task in known.items() if is_completed(task))}
    if unmet := unmet_needs(cascade.tasks, only, settled):
        raise SelectionError(unmet)


def failed_tasks(history: History) -> list[str]:
    """Return the tasks that have failed; what was only stopped, or not served, is tried again in any case."""
    failed = []
    for task_id, attempts in history.attempts.items():
        outcomes = [attempt.end.outcome for attempt in attempts if attempt.counts and attempt.end is not None]
        if outcomes and Outcome.OK not in outcomes and outcomes[-1] not in NO_VERDICT:
            failed.append(task_id)
    return failed


def completed_tasks(history: History) -> set[str]:
    """Return the tasks that an attempt has completed that still counts."""
    return {
        task_id for task_id, attempts in history.attempts.items()
        if any(attempt.counts and attempt.end is not None and attempt.end.outcome is Outcome.OK for attempt in attempts)
    }  # fmt: skip


def built_on(cascade: Cascade, task_ids: Iterable[str]) -> set[str]:
    """Return all that depends on these tasks, directly or through others."""
    todo, found = list(task_ids), set[str]()
    while todo:
        more = [each for each in cascade.dependents(todo.pop()) if each not in found]
        found.update(more)
        todo += more
    return found


def needed_by(cascade: Cascade, task_ids: Iterable[str]) -> set[str]:
    """Return all that these tasks depend on, directly or through others."""
    todo, found = list(task_ids), set[str]()
    while todo:
        more = [each for each in cascade.tasks[todo.pop()].depends_on if each not in found]
        found.update(more)
        todo += more
    return found


def is_completed(known: TaskKnown) -> bool:
    """Tell whether a task needs no attempt: it has completed, or was ticked off.

    A tick does not outvote the task's own check: an agent may have set it before that failed, or was cut short.
    """
    if Outcome.OK in known.outcomes:
        return True
    task = known.task
    is_to_be_checked = task.options.verify is not None and known.left_to_check() is not None
    return task.done and not known.has_failed_its_check and not is_to_be_checked


def has_given_up(cascade: Cascade, known: TaskKnown) -> bool:
    """Tell whether a task has failed, and used up what it may be retried.

    What was denied to its agent in an earlier run may be allowed by now, in settings of the agent's own that cannot
    be seen from here.
    """
    outcomes, options = verdicts(known), known.task.options
    if [outcome for outcome in outcomes if outcome not in FREE][-1:] == [Outcome.DENIED]:
        return False
    if not outcomes:
        return False
    if options.on_budget == OnBudget.FAIL and known.is_out_of_budget:
        return True
    return not may_be_retried(outcomes, retries=options.retries, retry_on=cascade.settings.retry_on)


def verdicts(known: TaskKnown) -> list[Outcome]:
    """Return the outcomes by which it is decided whether a task is tried again.

    A task that is to wait for more budget has not failed by having used up what it had.
    """
    waits = known.task.options.on_budget == OnBudget.STOP
    return [outcome for outcome in known.outcomes if not (waits and outcome is Outcome.BUDGET)]
