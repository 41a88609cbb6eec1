"""Reading what a report tells: the state file, the journal and the ends of logs, during a run and after."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from nova_async.cli.cost import local_day
from nova_async.cli.cost_rows import parts_of
from nova_async.cli.found_run import find_run
from nova_async.cli.found_task import completed, key_of_plan, plan_path
from nova_async.cli.log_end import LINES, lines_at_end
from nova_async.cli.reported import Reported
from nova_async.cli.version import VERSION
from nova_async.control.board import Board
from nova_async.errors import JournalError, StateFileError
from nova_async.journal.condition import condition_of
from nova_async.journal.log_files import log_of, open_log, open_own_log, places_of
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state
from nova_async.records import Attempt
from nova_async.views import TaskView
from nova_async.words import Outcome, TaskState

__all__ = ["ReportPlaces", "read_report"]

MORE_LINES = 40  # at the end of the log of an attempt that failed
MOST_READ = 64 * 1024  # bytes at the end of a log, for thousands of logs are read
MANY = 300  # tasks; of more, only the logs of those that failed are read
MOST_FAILED = 500  # tasks that failed whose logs are read


@final
@dataclass(frozen=True, slots=True)
class ReportPlaces:
    """Where a run has left what is told of it."""

    state: Path
    journal: Path
    log_dir: Path


def read_report(places: ReportPlaces, run_id: str | None = None) -> Reported:
    """Read a run: the latest, with all attempts of its tasks, or what one run did itself.

    The state file tells how its tasks stand, the journal what was done; where there is no state file, the latest run of
    the journal stands for it. Raises ``NovaError`` if neither can be read, or if there is no such run.
    """
    if run_id is None:
        try:
            return latest(places)
        except StateFileError as problem:
            run_id = latest_in(places.journal, problem)
    return reported(find_run(run_id, journal=places.journal, state=places.state).board, places, of_one_run=True)


def latest(places: ReportPlaces) -> Reported:
    """Read the run of the state file. Raises ``StateFileError`` without one."""
    run, views = read_state(places.state)
    try:
        reader = JournalReader(places.journal)
        attempts = reader.attempts(key_of_plan(reader, run, None))
    except JournalError:
        attempts = []  # the state file has what it needs, but for answers in full and tokens by model
    of_task: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        of_task.setdefault(attempt.start.id.task_id, []).append(attempt)
    tasks = {task_id: completed(view, of_task.get(task_id, ())) for task_id, view in views.items()}
    if (path := plan_path(run, places.state)) is not None:
        run = replace(run, cascade_file=str(path))
    now = datetime.now(UTC)
    return reported(Board(run, tasks, now, condition_of(run, tasks.values())).at(now), places)


def latest_in(journal: Path, problem: StateFileError) -> str:
    """Return the id of the latest run in the journal. Raises ``problem`` where there is none."""
    try:
        runs = JournalReader(journal).runs(limit=1)
    except JournalError:
        raise problem from None
    if not runs:
        raise problem
    return runs[0].start.run_id


def reported(board: Board, places: ReportPlaces, *, of_one_run: bool = False) -> Reported:
    """Complete a report: what its attempts have cost, and the ends of their logs."""
    attempts = [attempt for task in board.tasks.values() for attempt in task.attempts]
    ends, parts = log_ends(board.tasks.values(), places), tuple(parts_of(attempts, local_day))
    return Reported(board, board.now, VERSION, ends, parts, of_one_run)


def log_ends(tasks: Iterable[TaskView], places: ReportPlaces) -> Mapping[tuple[str, int], list[str]]:
    """Read the ends of the logs: of each task's last attempt, and of attempts of it that failed before."""
    tasks = [task for task in tasks if task.attempts]
    failed = [task for task in tasks if task.state is TaskState.FAILED]
    ends = {}
    for task in failed[:MOST_FAILED] if len(tasks) > MANY else tasks:
        for attempt in attempts_told(task):
            number = attempt.start.id.number
            if lines := log_end(task, attempt, places):
                ends[task.id, number] = lines
    return ends


def attempts_told(task: TaskView) -> list[Attempt]:
    """Return the attempts of which the log's end is told: the last one, and the two before it if they failed."""
    earlier = [attempt for attempt in task.attempts[-3:-1] if attempt.end and attempt.end.outcome is not Outcome.OK]
    return [*earlier, task.attempts[-1]]


def log_end(task: TaskView, attempt: Attempt, places: ReportPlaces) -> list[str]:
    """Return the last lines of an attempt's log, wherever it lies by now; none if it is gone."""
    ref = log_of(task, attempt.start.id.number)
    if ref is None:
        return []
    has_failed = attempt.end is not None and attempt.end.outcome is not Outcome.OK
    count = MORE_LINES if has_failed else LINES
    if attempt.end is not None and attempt.end.outcome is Outcome.VERIFY and attempt is task.attempts[-1]:
        for place in places_of(ref, task.id, places.state.parent, places.log_dir):  # there the agent has succeeded
            try:
                with io.BufferedReader(open_own_log(place.with_name(f"{task.id}~verify.log"))) as log:
                    return lines_at_end(log, count, most=MOST_READ)
            except (OSError, ValueError):
                continue
    found = open_log(ref, places_of(ref, task.id, places.state.parent, places.log_dir), places.log_dir)
    if found is None:
        return []
    with io.BufferedReader(found) as file:
        return lines_at_end(file, count, agent=attempt.start.agent or None, most=MOST_READ)
