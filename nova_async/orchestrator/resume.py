"""What earlier runs of a plan mean for the next one. Pure."""

from collections.abc import Iterable, Mapping

from nova_async.cascade import Cascade
from nova_async.journal.history import History
from nova_async.orchestrator.budget import Budget
from nova_async.orchestrator.decide import RunState
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.retry import may_be_retried
from nova_async.words import Outcome

__all__ = ["resumed_state", "take_over"]


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
        known[task.id] = TaskKnown(task, attempts, this_try)
    return known


def resumed_state(
    cascade: Cascade,
    known: Mapping[str, TaskKnown],
    *,
    max_workers: int,
    reached: Iterable[str] = (),
    running: Iterable[str] = (),
) -> RunState:
    """Return the state of a run that goes on from there; ``running`` are tasks that an executor never stopped."""
    running = set(running)
    completed = [task_id for task_id, task in known.items() if task_id not in running and is_completed(task)]
    done = {*completed, *running}
    failed = [task_id for task_id, task in known.items() if task_id not in done and has_given_up(cascade, task)]
    spent = [task.spent for task in known.values()]
    return RunState.of(
        cascade,
        max_workers=max_workers,
        outcomes={task_id: task.outcomes for task_id, task in known.items()},
        completed=completed,
        failed=failed,
        running=running,
        reached=reached,
        budget=Budget(
            max_tokens=cascade.settings.budget_tokens,
            max_cost_usd=cascade.settings.budget_usd,
            tokens=sum(total.usage.total for total in spent),
            cost_usd=sum(total.cost_usd or 0.0 for total in spent),
        ),
    )


def is_completed(known: TaskKnown) -> bool:
    """Tell whether a task needs no attempt: it has completed, or was ticked off.

    A tick does not outvote the task's own check: an agent may have set it before that failed.
    """
    return Outcome.OK in known.outcomes or (known.task.done and not known.has_failed_its_check)


def has_given_up(cascade: Cascade, known: TaskKnown) -> bool:
    """Tell whether a task has failed, and used up what it may be retried."""
    return bool(known.outcomes) and not may_be_retried(
        known.outcomes, retries=known.task.options.retries, retry_on=cascade.settings.retry_on
    )
