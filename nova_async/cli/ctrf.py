"""A run in the Common Test Report Format, which tools that gather test results read. Pure.

https://github.com/ctrf-io/ctrf: a task is a test, its group the suite, and each attempt a retry.
"""

from datetime import datetime
from typing import Any

from nova_async._core.text import clean, one_line
from nova_async.cli.reported import Reported, title_of
from nova_async.records import Attempt
from nova_async.views import TaskView
from nova_async.words import Outcome, TaskState

__all__ = ["CTRF_VERSION", "ctrf_document"]

CTRF_VERSION = "0.0.0"
"""Of the format; the only one there is."""
LONGEST = 4_000  # characters of an error
MOST_ATTEMPTS = 100  # of one task, the latest
PASSED, FAILED, SKIPPED, PENDING = "passed", "failed", "skipped", "pending"


def ctrf_document(report: Reported) -> dict[str, Any]:
    """Return the document. What a run has not come to counts as skipped, and as pending while it may still come."""
    board = report.board
    tests = [test_of(task, report) for task in report.tasks]
    counts = {status: sum(test["status"] == status for test in tests) for status in (PASSED, FAILED, SKIPPED, PENDING)}
    begin = board.run.started_at or report.made_at
    end = board.run.completed_at if board.is_over and board.run.completed_at else report.made_at
    sums = board.total.sums
    return {
        "reportFormat": "CTRF",
        "specVersion": CTRF_VERSION,
        "timestamp": report.made_at.isoformat(timespec="milliseconds"),
        "generatedBy": f"nova {report.version}",
        "results": {
            "tool": {"name": "nova", "version": report.version},
            "summary": {
                "tests": len(tests), **counts, "other": 0, "flaky": sum(test["flaky"] for test in tests),
                "suites": len({tuple(test["suite"]) for test in tests}), "start": milliseconds(begin),
                "stop": max(milliseconds(end), milliseconds(begin)),
            },
            "tests": tests,
            "environment": {
                "reportName": title_of(board),
                "extra": {"run_id": one_line(board.run.run_id), "plan": one_line(board.run.cascade_file)},
            },
            "extra": {
                "condition": board.condition, **sums.usage.as_dict(), "cost_usd": sums.cost_usd,
                "estimated_usd": sums.estimated_usd, "cost_is_complete": sums.cost_is_complete,
            },
        },
    }  # fmt: skip


def test_of(task: TaskView, report: Reported) -> dict[str, Any]:
    """Return a task as a test."""
    number = task.attempts[-1].start.id.number if task.attempts else 0
    failed = task.state is TaskState.FAILED
    about: dict[str, Any] = {
        "message": clean(task.error or (task.outcome.value if task.outcome else ""))[:LONGEST] if failed else None,
        "trace": "\n".join(report.log_ends.get((task.id, number), ())) if failed else None,
        "start": milliseconds(task.attempts[0].start.started_at) if task.attempts else None,
        "stop": milliseconds(task.completed_at) if task.completed_at else None,
        "retries": max(task.times_tried - 1, 0),
    }
    if len(task.attempts) > 1:
        latest = task.attempts[-MOST_ATTEMPTS:]
        shown = enumerate(latest, task.times_tried - len(latest) + 1)
        about["retryAttempts"] = [attempt_of(attempt, place) for place, attempt in shown]
    if task.log_path:
        log = {"name": "log", "contentType": "text/plain", "path": clean(task.log_path).replace("\n", " ")}
        about["attachments"] = [log]
    groups = [one_line(name) for name in (task.branch, task.group) if name]
    return {
        "name": f"{one_line(task.id)} {one_line(task.name)}".strip() or "-",
        "status": status_of(task, report),
        "duration": round(task.duration_seconds * 1000),
        "suite": groups or [title_of(report.board)],
        "rawStatus": report.board.look(task).word,
        "flaky": task.state is TaskState.COMPLETED and any(has_failed(attempt) for attempt in task.attempts),
        **{name: value for name, value in about.items() if value is not None},
        "extra": {
            "task": one_line(task.id), "agent": one_line(task.agent), **task.usage.as_dict(),
            "cost_usd": task.cost_usd, "estimated_usd": task.estimated_usd,
        },
    }  # fmt: skip


def status_of(task: TaskView, report: Reported) -> str:
    """Return the format's word for where a task stands."""
    if task.state is TaskState.COMPLETED:
        return PASSED
    if task.state is TaskState.FAILED:
        return FAILED
    return SKIPPED if report.board.is_over or task.state is TaskState.BLOCKED else PENDING


def attempt_of(attempt: Attempt, place: int) -> dict[str, Any]:
    """Return one attempt; they are counted from 1 in each report."""
    end = attempt.end
    if end is None:
        return {"attempt": place, "status": "other", "start": milliseconds(attempt.start.started_at)}
    about = {"message": clean(end.error)[:LONGEST]} if end.error else {}
    return {
        "attempt": place, "status": FAILED if has_failed(attempt) else PASSED,
        "duration": round(end.duration_seconds * 1000), "start": milliseconds(attempt.start.started_at),
        "stop": milliseconds(end.ended_at), **about,
        "extra": {
            "number": attempt.start.id.number, "outcome": end.outcome, "agent": one_line(attempt.start.served_by),
        },
    }  # fmt: skip


def has_failed(attempt: Attempt) -> bool:
    """Tell whether an attempt has ended otherwise than well."""
    return attempt.end is not None and attempt.end.outcome is not Outcome.OK


def milliseconds(moment: datetime) -> int:
    """Return a moment as the format counts it: milliseconds since the Unix epoch."""
    return round(moment.timestamp() * 1000)
