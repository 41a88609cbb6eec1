"""A run of the past, found in the journal by the beginning of its id, with its tasks as they were in it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from nova_async._core.text import one_line
from nova_async.cli.say import tell
from nova_async.control.board import Board
from nova_async.errors import NovaError, StateFileError
from nova_async.journal.condition import condition_of_run
from nova_async.journal.history import Run
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.records import Attempt
from nova_async.usage import Totals
from nova_async.views import RunView, TaskView
from nova_async.words import Condition, Outcome, TaskState

__all__ = ["FoundRun", "NoRunError", "find_run", "plan_of_key", "totals_of", "view_of", "warn_of_foreign"]

ENDED = (TaskState.COMPLETED, TaskState.FAILED)
MOST_KNOWN = 1000  # runs among which a mistyped id is looked for
MOST_NAMED = 5  # runs that an ambiguous id may mean
LONGEST_ID = 100  # characters of a mistyped id that are told


class NoRunError(NovaError):
    """There is no such run, or there are several; the text says so."""


@final
@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run, and what its own attempts were."""

    view: RunView
    tasks: Mapping[str, TaskView]
    """Those that it has begun, and where its state file is still there those that wait; in file order if that is known.

    Their sums and attempts are those of this run alone.
    """
    condition: Condition
    plan: Path
    """Where its plan was; it need not be there any more."""

    @property
    def board(self) -> Board:
        """The run as it is shown now."""
        now = datetime.now(UTC)
        return Board(self.view, self.tasks, now, self.condition).at(now)


def find_run(beginning: str, *, journal: Path, state: Path) -> FoundRun:
    """Find a run by its id, of which the beginning is enough.

    Raises ``NoRunError`` if there is none or more than one, and ``JournalError`` for a journal that cannot be read.
    """
    reader = JournalReader(journal)
    warn_of_foreign(reader)
    run = the_one(beginning, reader)
    attempts = reader.attempts_of_run(run.start.run_id)
    condition = condition_of_run(run)
    plan = plan_of_key(run.start.plan, journal)
    view = RunView(
        run_id=run.start.run_id, project=run.start.project, cascade_file=str(plan), started_at=run.start.started_at,
        completed_at=run.ended_at, end=run.end, pid=run.start.pid, pid_start_time=run.start.pid_start_time,
        max_workers=run.start.max_workers,
    )  # fmt: skip
    try:
        told, known = read_state(state)
    except StateFileError:
        return FoundRun(view, tasks_of(attempts, {}), condition, plan)
    if told.run_id == run.start.run_id:
        view = replace(told, started_at=run.start.started_at)
        others = {task_id: without_attempts(task) for task_id, task in known.items() if task.state not in ENDED}
        begun = tasks_of(attempts, known)
        order = [task_id for task_id in known if task_id in begun or task_id in others]
        tasks = {**{task_id: begun.get(task_id) or others[task_id] for task_id in order}, **begun}
        return FoundRun(view, tasks, condition, plan)
    is_same_plan = (state.parent / told.cascade_file).resolve() == plan.resolve()
    return FoundRun(view, tasks_of(attempts, known if is_same_plan else {}), condition, plan)


def warn_of_foreign(reader: JournalReader) -> None:
    """Warn of a journal that came from elsewhere."""
    if not reader.is_ours():
        tell(f"{reader.path} was not written by you on this machine: what it says may not be true")


def the_one(beginning: str, reader: JournalReader) -> Run:
    """Return the run whose id begins so. Raises ``NoRunError``."""
    found = reader.runs_named(beginning, MOST_NAMED + 1) if beginning else []
    exact = [run for run in found if run.start.run_id == beginning]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        names = ", ".join(run.start.run_id for run in found[:MOST_NAMED])
        more = " and more" if len(found) > MOST_NAMED else ""
        raise NoRunError(f"several runs begin with {beginning}: {names}{more}; name more of its id")
    from nova_async.cascade.diagnostics import did_you_mean  # with all that reads plans

    known = [run.start.run_id for run in reader.runs(MOST_KNOWN)]
    guess = did_you_mean(beginning, known) or "; `nova runs` lists them"
    raise NoRunError(f"no run {one_line(beginning, LONGEST_ID) or '``'} in {reader.path}{guess}")


def plan_of_key(key: str, journal: Path) -> Path:
    """Return the path from here of a plan that the journal knows by its path as seen from the journal's folder."""
    return Path(os.path.relpath(os.path.join(os.path.realpath(journal.parent), key)))  # noqa: PTH118 - it has `..`


def tasks_of(attempts: Sequence[Attempt], known: Mapping[str, TaskView]) -> dict[str, TaskView]:
    """Return the tasks of these attempts of one run; their names are those of ``known``, and so is their order."""
    by_task: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_task.setdefault(attempt.start.id.task_id, []).append(attempt)
    order = [task_id for task_id in known if task_id in by_task]
    found = {}
    for task_id in dict.fromkeys([*order, *by_task]):
        view, there = view_of(task_id, by_task[task_id], has_counted=True), known.get(task_id)
        found[task_id] = view if there is None else replace(
            view, name=there.name, branch=there.branch, group=there.group, depends_on=there.depends_on
        )  # fmt: skip
    return found


def without_attempts(task: TaskView) -> TaskView:
    """Return a task that a run has not begun, without what earlier runs have spent on it."""
    return TaskView(
        id=task.id, name=task.name, branch=task.branch, group=task.group, depends_on=task.depends_on, state=task.state,
        is_selected=task.is_selected, reason=task.reason, retry_at=task.retry_at, blocked_by=task.blocked_by,
        needs_approval=task.needs_approval,
    )  # fmt: skip


def view_of(task_id: str, attempts: Sequence[Attempt], *, has_counted: bool = False) -> TaskView:
    """Return how a task stands by its attempts alone; with ``has_counted``, how it stood when they still counted."""
    from nova_async.orchestrator.retry import NO_VERDICT  # with all that decides: seldom needed

    last = attempts[-1]
    end, total = last.end, totals_of(attempts)
    state = TaskState.WAITING
    if end is None and (last.counts or has_counted):
        state = TaskState.IN_PROGRESS
    elif end is not None and (last.counts or has_counted) and end.outcome not in NO_VERDICT:
        state = TaskState.COMPLETED if end.outcome is Outcome.OK else TaskState.FAILED
    answers = [found.result for attempt in attempts for found in (attempt.end or attempt.finished,) if found]
    return TaskView(
        id=task_id, state=state, attempt=last.start.id.number, outcome=end.outcome if end else None,
        agent=last.start.served_by, result=next((text for text in reversed(answers) if text), None),
        error=end.error if end else None, started_at=last.start.started_at, completed_at=end.ended_at if end else None,
        usage=total.usage, usage_by_model=total.usage_by_model, usage_is_final=total.usage_is_final,
        cost_usd=total.cost_usd, estimated_usd=total.estimated_usd, cost_is_complete=total.cost_is_complete,
        duration_seconds=total.duration_seconds,
        denied=end.denied if end else (), session_id=end.session_id if end else None,
        log=end.log if end else last.log, log_path=end.log.path if end and end.log else None,
        log_error=end.log_error if end else None, commit_sha=end.commit_sha if end else None,
        files_changed=end.files_changed if end else (), attempts=tuple(attempts),
    )  # fmt: skip


def totals_of(attempts: Sequence[Attempt]) -> Totals:
    """Add up what attempts have used."""
    sums = Totals()
    for end in (attempt.end for attempt in attempts if attempt.end):
        end.add_to(sums)
    return sums
