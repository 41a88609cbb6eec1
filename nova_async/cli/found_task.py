"""One task, from the state file of its run and the journal: what `nova show` and `nova result` tell of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from nova_async.cli.say import tell
from nova_async.errors import JournalError, NovaError, StateFileError
from nova_async.journal.condition import condition_of
from nova_async.journal.plan_key import plan_key
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.records import Attempt, AttemptEnd, LogRef
from nova_async.usage import Totals
from nova_async.views import RunView, TaskView
from nova_async.words import Condition, Outcome, TaskState

__all__ = ["Answer", "FoundTask", "NoTaskError", "answer_of", "find_task"]


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


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer of an agent."""

    text: str
    attempt: Attempt
    """The one in which it was given."""


def find_task(task_id: str, *, state: Path, journal: Path, plan: Path | None = None) -> FoundTask:
    """Find a task of ``plan``, or else of the plan that was run last.

    The state file tells how it stands, the journal what its attempts were; either may be missing. Raises
    ``NoTaskError`` if neither knows it, and ``NovaError`` if neither can be read.
    """
    run, views, problem = None, dict[str, TaskView](), None
    try:
        run, views = read_state(state)
    except StateFileError as error:
        problem = error
    try:
        key, attempts = read_journal(journal, run, plan)
    except JournalError as error:
        if problem is not None:
            raise (error if journal.exists() else problem) from None
        key, attempts = None, {}
    if plan is not None and run is not None and not is_of(run, state, key, journal):
        run, views = None, {}  # of another plan
    view, known = views.get(task_id), attempts.get(task_id, ())
    if view is None and not known:
        from nova_async.cascade.diagnostics import did_you_mean  # with all that reads plans

        where = plan or (run.cascade_file if run else None) or key or "this run"
        raise NoTaskError(f"no task {task_id} in {where}{did_you_mean(task_id, sorted({*views, *attempts}))}")
    over = run is None or condition_of(run, views.values()) is not Condition.RUNNING
    return FoundTask(completed(view or view_of(task_id, known), known), plan or plan_path(run, state), over)


def read_journal(
    journal: Path, run: RunView | None, plan: Path | None
) -> tuple[str | None, dict[str, tuple[Attempt, ...]]]:
    """Return under which name the journal keeps the plan, and its attempts by task."""
    reader = JournalReader(journal)
    if not reader.is_ours():
        tell(f"{journal} was not written by you on this machine: what it says may not be true")
    if plan is not None:
        key = plan_key(plan, journal)
    else:
        runs = reader.runs()
        named = [found.start.plan for found in runs if run is not None and found.start.run_id == run.run_id]
        key = next(iter([*named, *(found.start.plan for found in runs[:1])]), "")
    by_task: dict[str, tuple[Attempt, ...]] = {}
    for attempt in reader.attempts(key):
        task_id = attempt.start.id.task_id
        by_task[task_id] = (*by_task.get(task_id, ()), attempt)
    return key or None, by_task


def is_of(run: RunView, state: Path, key: str | None, journal: Path) -> bool:
    """Tell whether a run is one of the plan with this name in the journal."""
    path = plan_path(run, state)
    return path is not None and key is not None and plan_key(path, journal) == key


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
        result=answer.text if answer else None,
        usage_by_model=totals_of(moved).usage_by_model,
    )


def with_log(attempt: Attempt, logs: Mapping[int, LogRef | None]) -> Attempt:
    """Return an attempt with its log where it lies by now."""
    log = logs.get(attempt.start.id.number)
    return attempt if log is None or attempt.end is None else replace(attempt, end=replace(attempt.end, log=log))


def view_of(task_id: str, attempts: Sequence[Attempt]) -> TaskView:
    """Return how a task stands by its attempts alone."""
    last = attempts[-1]
    end, total = last.end, totals_of(attempts)
    state = TaskState.WAITING
    if last.counts:
        state = TaskState.IN_PROGRESS if end is None else TaskState.FAILED
        state = TaskState.COMPLETED if end is not None and end.outcome is Outcome.OK else state
    return TaskView(
        id=task_id, state=state, attempt=last.start.id.number, outcome=end.outcome if end else None,
        error=end.error if end else None, started_at=last.start.started_at, completed_at=end.ended_at if end else None,
        usage=total.usage, usage_is_final=total.usage_is_final, cost_usd=total.cost_usd,
        estimated_usd=total.estimated_usd, cost_is_complete=total.cost_is_complete,
        duration_seconds=total.duration_seconds,
        denied=end.denied if end else (), session_id=end.session_id if end else None,
        log=end.log if end else None, log_path=end.log.path if end and end.log else None,
        log_error=end.log_error if end else None, commit_sha=end.commit_sha if end else None,
        files_changed=end.files_changed if end else (),
    )  # fmt: skip


def totals_of(attempts: Iterable[Attempt]) -> Totals:
    """Add up what attempts have used."""
    sums = Totals()
    for end in (attempt.end for attempt in attempts if attempt.end):
        end.add_to(sums)
    return sums


def answer_of(attempts: Sequence[Attempt]) -> Answer | None:
    """Return the latest final answer among the attempts that count; None if there is none."""
    for attempt in reversed([attempt for attempt in attempts if attempt.counts]):
        ends: list[AttemptEnd | None] = [attempt.end, attempt.finished]
        text = next((end.result for end in ends if end is not None and end.result), None)
        if text is not None:
            return Answer(text, attempt)
    return None
