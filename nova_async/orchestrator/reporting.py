"""A run in words and numbers: why a task does not run, what its events tell, and the final report. Pure."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from nova_async.agents import AGENTS, unread_agent
from nova_async.cascade import Task
from nova_async.journal.rollup import sum_up
from nova_async.records import Attempt, AttemptEnd, AttemptFacts
from nova_async.views import BudgetView, GaugeView, Hold, RunReport, RunView, TaskView
from nova_async.words import Permissions, Phase, TaskState

__all__ = [
    "about", "about_gauge", "about_limit", "about_phase", "all_completed", "digest", "numbers", "reason", "run_report",
    "told_to_go_on", "warnings_in",
]  # fmt: skip


def digest(task: Task) -> str:
    """Return a short mark of a task's prompt, by which a changed one is recognised."""
    return hashlib.sha256(task.description.encode(errors="surrogatepass")).hexdigest()[:16]


def reason(
    state: TaskState,
    blocked_by: Sequence[str],
    waits_for: Sequence[str],
    kept: str | None,
    *,
    over: bool,
    selected: bool = True,
    is_short_of_memory: bool = False,
    is_paused: bool = False,
) -> str | None:
    """Say why a task does not run at this moment; None where that is plain.

    ``kept`` says that its agent cannot work, that its budget is used up, or what somebody has to do. Once the run is
    over, nothing else waits.
    """
    if state is TaskState.WAITING and not selected:
        return "not selected"
    if state is TaskState.BLOCKED:
        return f"blocked by {', '.join(blocked_by)}"
    if kept is not None:
        return kept
    if over:
        return None
    if state is TaskState.RETRYING:
        return "waits for its next attempt"
    if state is TaskState.WAITING and waits_for:
        return f"waits for {', '.join(waits_for)}"
    if state is TaskState.READY and is_paused:
        return "waits for the paused run to go on"
    if state is TaskState.READY and is_short_of_memory:
        return "waits until more memory is available (min_free_memory)"
    return "waits for a free worker" if state is TaskState.READY else None


def told_to_go_on(task_id: str, *, is_stopped: bool, over: bool) -> str:
    """Say what lets a task go on that somebody has stopped, or that needs approval."""
    if not is_stopped:
        return f"waits for approval: `nova approve {task_id}`"
    return (
        "stopped; the next `nova run` goes on with it" if over else f"stopped; `nova retry {task_id}` lets it run again"
    )


def all_completed(views: Mapping[str, TaskView]) -> bool:
    """Tell whether all has completed that the run was to run."""
    return all(view.state is TaskState.COMPLETED for view in views.values() if view.is_selected)


def about(end: AttemptEnd | None) -> dict[str, Any]:
    """Return what the events tell of an attempt that has ended; nothing where there was none."""
    if end is None:
        return {}
    return {
        "attempt": end.id.number,
        "outcome": str(end.outcome),
        "error": end.error,
        "duration_seconds": round(end.duration_seconds, 3),
        "tokens": end.usage.total,
        "usage_is_final": end.usage_is_final,
        "cost_usd": end.cost_usd,
        "estimated_usd": end.estimated_usd,
        **({"denied": list(end.denied)} if end.denied else {}),
    }


def about_limit(hold: Hold) -> dict[str, Any]:
    """Return what the events tell of a usage limit; its moments are in UTC."""
    return {
        "agent": hold.agent,
        "model": hold.model,
        "limit": hold.kind,
        "error": hold.error,
        "resets_at": None if hold.resets_at is None else hold.resets_at.isoformat(timespec="seconds"),
        "waits_until": None if hold.until is None else hold.until.isoformat(timespec="seconds"),
    }


def about_gauge(gauge: GaugeView) -> dict[str, Any]:
    """Return what the events tell of how full a usage limit is; its moments are in UTC."""
    resets_at, next_start_at = gauge.resets_at, gauge.next_start_at
    return {
        "agent": gauge.agent,
        "limit": gauge.kind,
        "used": round(gauge.used, 4),
        "resets_at": None if resets_at is None else resets_at.isoformat(timespec="seconds"),
        "next_start_at": None if next_start_at is None else next_start_at.isoformat(timespec="seconds"),
    }


def about_phase(number: int, facts: AttemptFacts) -> dict[str, Any]:
    """Return what the events tell of a phase that begins in an attempt of that number: also which check it is."""
    return {"attempt": number, "phase": str(facts.phase), **({"activity": facts.activity} if facts.activity else {})}


def warnings_in(task_id: str, command: Sequence[str], before: AttemptFacts, facts: AttemptFacts) -> Iterator[str]:
    """Yield what is new about a running attempt and should be known, although it costs no task."""
    if facts.log_error is not None and before.log_error is None:
        yield f"log of {task_id}: {facts.log_error}"
    if facts.warning is not None and facts.warning != before.warning:
        yield f"{task_id}: {facts.warning}"
    if facts.looks_like is not None and before.looks_like is None:
        name = facts.looks_like
        yield (
            f'the output of `{command[0]}` looks like {name}\'s: write agent = "{name}" or --agent {name}, '
            "or its tokens are not counted and its success is judged by the exit code alone"
        )
    begins = facts.phase is Phase.RUN and facts.pid is not None and before.pid is None
    if begins and (program := unread_agent(command)) is not None:
        yield f"the success of `{program}` is judged by its exit code alone: give its tasks a `verify`"


def silent_denial(task: Task, attempts: Sequence[Attempt]) -> str | None:
    """Say where an agent may have been denied everything without a word: it prints no denials, and changed no file."""
    if not attempts or (end := attempts[-1].end) is None:
        return None
    agent = AGENTS.get(attempts[-1].start.agent)
    should_change = task.options.permissions is not Permissions.READ and task.options.verify is None
    is_idle = end.commit_sha is not None and not end.files_changed  # in a git checkout; elsewhere nobody knows
    if agent is None or agent.tells_denials or not (should_change and is_idle):
        return None
    return (
        f"{task.id} changed no file, and {agent.name} does not report what it was denied: see `nova result {task.id}`"
    )


def numbers(report: RunReport) -> dict[str, Any]:
    """Return the report's numbers, for the event that ends a run; it counts the tasks that it was to run."""
    states = [task.state for task in report.selected.values()]
    return {
        "completed": states.count(TaskState.COMPLETED),
        "failed": states.count(TaskState.FAILED),
        "blocked": states.count(TaskState.BLOCKED),
        "duration_seconds": round(report.duration_seconds, 3),
        "token_usage": report.usage.as_dict(),
        "usage_is_final": report.usage_is_final,
        "cost_usd": report.cost_usd,
        "estimated_usd": report.estimated_usd,
        "cost_is_complete": report.cost_is_complete,
    }


def run_report(
    run: RunView,
    views: Mapping[str, TaskView],
    started_at: datetime,
    duration_seconds: float,
    holds: tuple[Hold, ...] = (),
    budgets: tuple[BudgetView, ...] = (),
) -> RunReport:
    """Return how a run ended."""
    total = sum_up(views.values())
    return RunReport(
        run_id=run.run_id,
        project=run.project,
        tasks=dict(views),
        started_at=started_at,
        duration_seconds=duration_seconds,
        usage=total.usage,
        usage_by_model=total.usage_by_model,
        usage_is_final=total.usage_is_final,
        cost_usd=total.cost_usd,
        estimated_usd=total.estimated_usd,
        cost_is_complete=total.cost_is_complete,
        milestones={milestone.id: milestone.message for milestone in run.milestones if milestone.message},
        warnings=run.warnings,
        holds=holds,
        budgets=budgets,
    )
