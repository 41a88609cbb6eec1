"""A run in words and numbers: why a task does not run, what the state file says, and the final report."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from nova_async.cascade import Cascade, Task
from nova_async.journal.records import AttemptEnd
from nova_async.journal.state_file import state_document, task_document
from nova_async.orchestrator.records_of_run import RunRecords
from nova_async.orchestrator.task_run import TaskRun, add_by_model
from nova_async.orchestrator.views import RunReport, TaskState, TaskView
from nova_async.usage import TokenUsage

__all__ = ["StatePicture", "about", "counts", "digest", "reason", "run_report"]


def digest(task: Task) -> str:
    """Return a short mark of a task's prompt, by which a changed one is recognised."""
    return hashlib.sha256(task.description.encode()).hexdigest()[:16]


def reason(
    state: TaskState, blocked_by: tuple[str, ...], waits_for: list[str], retry_at: datetime | None
) -> str | None:
    """Say why a task does not run at this moment; None where that is plain."""
    if state == "blocked":
        return f"blocked by {', '.join(blocked_by)}"
    if state == "retrying" and retry_at is not None:
        return f"tried again at {retry_at.astimezone():%H:%M:%S}"
    if state == "waiting" and waits_for:
        return f"waits for {', '.join(waits_for)}"
    return "waits for a free worker" if state == "ready" else None


def about(number: int, end: AttemptEnd) -> dict[str, Any]:
    """Return what the events tell of an attempt that has ended."""
    return {
        "attempt": number,
        "outcome": end.outcome,
        "error": end.error,
        "duration_seconds": round(end.duration_seconds, 3),
        "tokens": end.usage.total,
        "cost_usd": end.cost_usd,
    }


def counts(report: RunReport) -> dict[str, Any]:
    """Return the report's numbers, for the event that ends a run."""
    states = [task.state for task in report.tasks.values()]
    return {
        "completed": states.count("completed"),
        "failed": states.count("failed"),
        "blocked": states.count("blocked"),
        "duration_seconds": round(report.duration_seconds, 3),
        "token_usage": report.usage.as_dict(),
        "cost_usd": report.cost_usd,
    }


def run_report(
    records: RunRecords,
    cascade: Cascade,
    tasks: Mapping[str, TaskRun],
    views: Mapping[str, TaskView],
    duration_seconds: float,
) -> RunReport:
    """Return how a run ended."""
    by_model: dict[str, TokenUsage] = {}
    for view in views.values():
        add_by_model(by_model, view.usage_by_model)
    costs = [view.cost_usd for view in views.values() if view.cost_usd is not None]
    messages = {milestone.id: milestone.message for milestone in cascade.milestones}
    return RunReport(
        run_id=records.run_id,
        project=cascade.project,
        tasks=views,
        started_at=records.started_at,
        duration_seconds=duration_seconds,
        usage=sum((view.usage for view in views.values()), TokenUsage()),
        usage_by_model=by_model,
        cost_usd=sum(costs) if costs else None,
        cost_is_complete=all(run.cost_is_complete for run in tasks.values()),
        milestones={name: messages[name] for name in records.milestones if name in messages},
    )


class StatePicture:
    """The document of ``cascade_state.json``, kept up to date task by task: it costs no more than what changes."""

    def __init__(
        self, records: RunRecords, cascade: Cascade, tasks: Mapping[str, TaskRun], view: Callable[[str], TaskView]
    ) -> None:
        self._records = records
        self._cascade = cascade
        self._tasks = tasks
        self._view = view
        self._documents: dict[str, dict[str, Any]] = {}
        self._stale = set(tasks)

    def touch(self, task_ids: Iterable[str]) -> None:
        """Note that something about these tasks has changed."""
        self._stale.update(task_ids)

    def document(self) -> dict[str, Any]:
        """Return the whole document at this moment."""
        for task_id in self._stale:
            facts = self._tasks[task_id].facts(self._view(task_id), f"worker-{task_id}")
            self._documents[task_id] = task_document(facts)
        self._stale.clear()
        document = state_document(self._records.project(self._cascade), {}, self._records.nova())
        document["tasks"] = {task_id: self._documents[task_id] for task_id in self._tasks}
        return document
