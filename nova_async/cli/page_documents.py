"""What the page tells as `nova` does: a task, the plan, the cost and the runs of a folder, as JSON."""

import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, final

from nova_async.cli.cost import local_day, read_costs
from nova_async.cli.cost_rows import KEYS, cost_document, parts_of
from nova_async.cli.found_run import FoundRun, find_run
from nova_async.cli.found_task import FoundTask, find_task, find_task_of_run, plan_path
from nova_async.cli.places import PLAN
from nova_async.cli.plan import diagnostics_of
from nova_async.cli.plan import document as plan_document
from nova_async.cli.runs import runs_document, sums_of_runs
from nova_async.cli.show import document as task_document
from nova_async.cli.show import prompt_of
from nova_async.control.board import Board
from nova_async.control.looks import seconds_until
from nova_async.errors import JournalError, NovaError
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state, written_moment
from nova_async.records import Attempt
from nova_async.web.source import Places
from nova_async.words import Condition

__all__ = ["FolderDocuments"]

MOST_RUNS = 200  # told at once, the newest
KEPT_SECONDS = 10.0  # a run of 2,000 tasks takes a fifth of a second to read, and a page asks for five parts of it


@final
class FolderDocuments:
    """The documents of one folder."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._reading = threading.Lock()
        self._kept: tuple[str, FoundRun, float] | None = None

    def run(self, beginning: str) -> Board:
        """Return the run whose id begins so, as the journal has it."""
        return self._found(beginning).board

    def _found(self, beginning: str) -> FoundRun:
        """Find a run; one that is over is read once for all that a page asks of it as it opens."""
        with self._reading:
            if self._kept is not None and self._kept[0] == beginning and time.monotonic() < self._kept[2]:
                return self._kept[1]
            found = find_run(beginning, state=self._places.state, journal=self._places.journal)
            if found.condition is not Condition.RUNNING:
                self._kept = beginning, found, time.monotonic() + KEPT_SECONDS
            return found

    def task(self, task_id: str, run_id: str | None = None) -> dict[str, Any]:
        """Return what ``nova show --json`` tells, and what happened in each of its attempts."""
        if run_id is None:
            task = find_task(task_id, state=self._places.state, journal=self._places.journal)
        else:
            task = find_task_of_run(task_id, self._found(run_id))
        if not task.is_over:
            seconds = seconds_until(datetime.now(UTC), task.view, task.since)
            task = replace(task, view=replace(task.view, duration_seconds=seconds))
        return {**task_document(task, prompt_of(task)), "checks": self._checks(task)}

    def _checks(self, task: FoundTask) -> list[dict[str, Any]]:
        reader, found = JournalReader(self._places.journal), []
        for attempt in task.view.attempts:
            try:
                phases = reader.phases(attempt.start.id)
            except JournalError:
                break
            found += [
                {
                    "attempt": attempt.start.id.number, "phase": phase.phase, "at": written_moment(phase.at),
                    "activity": phase.activity,
                }
                for phase in phases
            ]  # fmt: skip
        return found

    def cost(self, run_id: str | None = None) -> dict[str, Any]:
        """Return what ``nova cost --json`` tells; with ``run_id``, of the attempts of that run alone."""
        if run_id is None:
            return read_costs(self._places.journal, None, costs_of, all_plans=False)
        return costs_of(attempt for task in self.run(run_id).tasks.values() for attempt in task.attempts)

    def plan(self) -> dict[str, Any]:
        """Return what ``nova plan --json`` tells of the plan that was run last."""
        from nova_async.cascade import CascadeError, load_cascade
        from nova_async.cascade.load import find_settings
        from nova_async.orchestrator.price_search import find_prices

        run, _ = read_state(self._places.state)
        path = plan_path(run, self._places.state) or self._places.folder / PLAN
        try:
            cascade = load_cascade(path, settings=find_settings(self._places.folder, path.parent))
        except OSError as error:
            raise NovaError(f"cannot read the plan {path}: {error.strerror or error}") from error
        except CascadeError as error:
            return {"ok": False, "file": str(path), "diagnostics": diagnostics_of(error.diagnostics)}
        return plan_document(cascade, find_prices(cascade))

    def runs(self) -> dict[str, Any]:
        """Return the runs of the journal, the newest first."""
        return runs_document(sums_of_runs(JournalReader(self._places.journal), MOST_RUNS), self._places.journal)


def costs_of(attempts: Iterable[Attempt]) -> dict[str, Any]:
    """Return what ``nova cost --json`` tells of attempts."""
    return cost_document(parts_of(attempts, local_day), KEYS)
