"""One task, from the state file of its run and the journal: what `nova show` and `nova result` tell of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, final

from nova_async.attempt.earlier_logs import with_log_found
from nova_async.cli.found_run import FoundRun, find_run, totals_of, view_of, warn_of_foreign
from nova_async.errors import JournalError, NovaError, StateFileError
from nova_async.journal.condition import condition_of
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.records import Attempt, AttemptEnd, LogRef
from nova_async.views import RunView, TaskView
from nova_async.words import Condition

if TYPE_CHECKING:
    from nova_async.cascade import Cascade

__all__ = ["Answer", "FoundTask", "NoTaskError", "answer_of", "find_task", "find_task_of_run", "key_of_plan",
           "read_plan_of"]  # fmt: skip


class NoTaskError(NovaError):
    """There is no such task; the text says so."""


@final
@dataclass(frozen=True, slots=True)
class FoundTask:
    """A task as it stands."""

    view: TaskView
    """With all its attempts."""
    plan: Path | None
    """The plan that it is of, where its path is known."""
    is_over: bool
    """Whether nothing of its run is running any more."""
    of_run: bool = False
    """Whether it is shown as it was in one run, which somebody has named."""
    since: datetime | None = None
    """When its plan was begun, or begun afresh; None where that is not known."""


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer of an agent."""

    text: str
    attempt: Attempt
    """The one in which it was given."""


def find_task(
    task_id: str, *, state: Path, journal: Path, plan: Path | None = None, run_id: str | None = None
) -> FoundTask:
    """Find a task of ``plan``, or else of the plan that was run last; with ``run_id``, as it was in that run.

    The state file tells how it stands, the journal what its attempts were; either may be missing. Raises
    ``NoTaskError`` if neither knows it, and ``NovaError`` if neither can be read.
    """
    if run_id is not None:
        return find_task_of_run(task_id, find_run(run_id, journal=journal, state=state))
    run, views, problem = None, dict[str, TaskView](), None
    try:
        run, views = read_state(state)
    except StateFileError as error:
        problem = error
    try:
        reader = JournalReader(journal)
        key = key_of_plan(reader, run, plan)
        known, begun = reader.attempts(key, task_id), reader.tasks(key)
    except JournalError as error:
        if problem is not None:
            raise (error if journal.exists() else problem) from None
        key, known, begun = "", [], []
    if plan is not None and run is not None and not is_of(run, state, key, journal):
        run, views = None, {}  # of another plan
    view = views.get(task_id)
    if view is None and not known:
        from nova_async.cascade.diagnostics import did_you_mean  # with all that reads plans

        where = plan or (run.cascade_file if run else None) or key or "this run"
        raise NoTaskError(f"no task {task_id} in {where}{did_you_mean(task_id, sorted({*views, *begun}))}")
    over = run is None or condition_of(run, views.values()) is not Condition.RUNNING
    since = run.started_at if run else None
    return FoundTask(
        completed(view or view_of(task_id, known), known), plan or plan_path(run, state), over, since=since
    )


def find_task_of_run(task_id: str, run: FoundRun) -> FoundTask:
    """Find a task as it was in a run. Raises ``NoTaskError``."""
    if (view := run.tasks.get(task_id)) is None:
        from nova_async.cascade.diagnostics import did_you_mean  # with all that reads plans

        raise NoTaskError(f"no task {task_id} in run {run.view.run_id}{did_you_mean(task_id, sorted(run.tasks))}")
    plan = run.plan if run.plan.is_file() else None
    view = replace(view, attempts=tuple(map(with_log_found, view.attempts)))
    if end := view.attempts[-1].end if view.attempts else None:
        view = replace(view, log_path=end.log.path if end.log else None)
    return FoundTask(view, plan, run.condition is not Condition.RUNNING, of_run=True)


def read_plan_of(task: FoundTask) -> "Cascade":
    """Read the plan that a task is of. Raises ``NoTaskError`` where that cannot be done."""
    from nova_async.cascade import CascadeError, load_cascade
    from nova_async.cascade.load import find_settings

    if task.plan is None:
        raise NoTaskError(f"the plan of {task.view.id} is not where it was: name it with --plan PLAN")
    try:
        return load_cascade(task.plan, settings=find_settings(".", task.plan.parent), with_optional=True)
    except (CascadeError, OSError) as error:
        raise NoTaskError(f"{task.plan} cannot be read: {error}") from error


def key_of_plan(reader: JournalReader, run: RunView | None, plan: Path | None) -> str:
    """Return under which name the journal keeps the plan: that one, or that of the run; "" where it knows none."""
    warn_of_foreign(reader)
    if plan is not None:
        return plan_key(plan, reader.path)
    runs = reader.runs()
    named = [found.start.plan for found in runs if run is not None and found.start.run_id == run.run_id]
    return next(iter([*named, *(found.start.plan for found in runs[:1])]), "")


def is_of(run: RunView, state: Path, key: str, journal: Path) -> bool:
    """Tell whether a run is one of the plan with this name in the journal."""
    path = plan_path(run, state)
    return path is not None and plan_key(path, journal) == key


def plan_path(run: RunView | None, state: Path) -> Path | None:
    """Return where the plan of a run lies, if it is still there; its path may be seen from the state file's folder."""
    if run is None or not run.cascade_file:
        return None
    places = (Path(run.cascade_file), state.parent / run.cascade_file)
    return next((place for place in places if place.is_file()), None)


def completed(view: TaskView, attempts: Sequence[Attempt]) -> TaskView:
    """Add to a task of the state file what only the journal keeps: answers, command lines, tokens by model."""
    if not attempts:
        return view
    logs = {attempt.start.id.number: attempt.end.log for attempt in view.attempts if attempt.end}
    moved = tuple(with_log(attempt, logs) for attempt in attempts)
    answer = answer_of(moved)
    return replace(
        view,
        attempts=moved,
        earlier=None,
        result=answer.text if answer else None,
        usage_by_model=totals_of(moved).usage_by_model,
    )


def with_log(attempt: Attempt, logs: Mapping[int, LogRef | None]) -> Attempt:
    """Return an attempt with its log where it lies by now."""
    log = logs.get(attempt.start.id.number)
    if log is not None and attempt.end is not None:
        attempt = replace(attempt, end=replace(attempt.end, log=log))
    return with_log_found(attempt)


def answer_of(attempts: Sequence[Attempt]) -> Answer | None:
    """Return the latest final answer among the attempts that count; None if there is none."""
    for attempt in reversed([attempt for attempt in attempts if attempt.counts]):
        ends: list[AttemptEnd | None] = [attempt.end, attempt.finished]
        text = next((end.result for end in ends if end is not None and end.result), None)
        if text is not None:
            return Answer(text, attempt)
    return None
