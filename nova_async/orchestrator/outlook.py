"""What a run would do, before it does anything. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import final

from nova_async.cascade import Cascade
from nova_async.journal.history import History
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.resume import check_selection, failed_tasks, resumed_state, take_over
from nova_async.orchestrator.run_state import RunState
from nova_async.orchestrator.sessions import session_for
from nova_async.orchestrator.within_budget import wait_for_budget
from nova_async.words import Outcome, TaskState

__all__ = ["COMPLETED_BEFORE", "Outlook", "look_ahead"]

COMPLETED_BEFORE = "already completed"


@final
@dataclass(frozen=True, slots=True)
class Outlook:
    """Which tasks a run would begin, and why it would skip the others."""

    rounds: tuple[tuple[str, ...], ...]
    """Those that it would begin, in order, if all of a round ended together and well."""
    skipped: Mapping[str, str]
    """Why each of the others would not begin, in file order."""
    to_check: frozenset[str]
    """Those of which only the check is left."""
    to_approve: frozenset[str] = frozenset()
    """Those that wait for somebody's approval first."""
    resumed: Mapping[str, str] = field(default_factory=dict)
    """The sessions that they would resume, by task."""


def look_ahead(
    cascade: Cascade,
    history: History,
    *,
    max_workers: int | None = None,
    only: Collection[str] | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    folder_of: Callable[[str], str] | None = None,
) -> Outlook:
    """Return what a run with these settings would do.

    ``folder_of`` makes the ``cwd`` of a task an absolute path; without it, nothing is said about sessions. Raises
    ``SelectionError`` as the run does.
    """
    if only is not None:
        check_selection(cascade, history, only)
    approved = {task_id for task_id in history.approved if not fresh or (only is not None and task_id not in only)}
    if fresh:
        history = History() if only is None else without_results(history, only)
    if retry_failed:
        history = without_results(history, [task for task in failed_tasks(history) if only is None or task in only])
    known = take_over(cascade, history)
    workers = max_workers or cascade.settings.max_workers
    state = resumed_state(cascade, known, max_workers=workers, only=only, approved=cascade.tasks)
    schedule, rounds = state.schedule, []
    skipped = {}
    while not state.budget.is_used_up and (begun := next_round(state)):
        rounds.append(begun)
        for task_id in begun:
            schedule.complete(task_id)
    begins = {task_id for begun in rounds for task_id in begun}
    for task_id, task in known.items():
        if task_id not in begins:
            where = schedule.state(task_id)
            why = reason(task, where, schedule.blocked_by(task_id), is_selected=schedule.is_selected(task_id))
            skipped[task_id] = why or state.budget_reason(task_id) or waits_for(state, task_id)
    to_check = frozenset(task_id for task_id in begins if known[task_id].left_to_check())
    resumed = {}
    if folder_of is not None:
        for task_id in begins - to_check:
            planned, task = cascade.tasks[task_id], known[task_id]
            session = session_for(cascade, planned, task.attempts, folder_of(planned.options.cwd), task.earlier)
            if session is not None:
                resumed[task_id] = session.id
    to_approve = frozenset(each for each in begins if cascade.tasks[each].options.gate and each not in approved)
    return Outlook(tuple(rounds), skipped, to_check, to_approve, resumed)


def next_round(state: RunState) -> tuple[str, ...]:
    """Return what could begin together now; what has used up its own budget waits."""
    begun = []
    while (task_id := state.schedule.start_next()) is not None:
        if state.is_out_of_budget(task_id):
            wait_for_budget(state, task_id)
        else:
            begun.append(task_id)
    return tuple(begun)


def waits_for(state: RunState, task_id: str) -> str:
    """Say what a task waits for that has not failed and may run."""
    if state.budget.is_used_up:
        return "the budget of the run is used up"
    return f"waits for {', '.join(state.schedule.waits_for(task_id))}"


def reason(known: TaskKnown, state: TaskState, blocked_by: Collection[str], *, is_selected: bool) -> str:
    """Say why a task would not begin; nothing where it could."""
    match state:
        case TaskState.COMPLETED if Outcome.OK in known.outcomes:
            return COMPLETED_BEFORE
        case TaskState.COMPLETED:
            return "ticked off in the plan"
        case _ if not is_selected:
            return "not selected"
        case TaskState.FAILED:
            return f"failed before ({known.outcomes[-1]})"
        case TaskState.BLOCKED:
            return f"blocked by {', '.join(blocked_by)}"
        case _:
            return ""


def without_results(history: History, task_ids: Collection[str]) -> History:
    """Return a history in which the attempts of these tasks no longer count, as after ``nova retry``."""
    return replace(
        history,
        attempts={
            task_id: tuple(replace(attempt, counts=attempt.counts and task_id not in task_ids) for attempt in attempts)
            for task_id, attempts in history.attempts.items()
        },
        earlier={
            task_id: replace(earlier, counting=Counter()) if task_id in task_ids else earlier
            for task_id, earlier in history.earlier.items()
        },
    )
