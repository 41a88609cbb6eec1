"""Runs to report, for the tests of reports."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from nova_async.cli.cost_rows import parts_of
from nova_async.cli.reported import Reported
from nova_async.control.board import Board
from nova_async.usage import TokenUsage
from nova_async.views import TaskView
from nova_async.words import Condition, Outcome, RunEnd, TaskState
from tests.views import NOON, attempt, by_id, run_view

USED = TokenUsage(1_000, 200, 30_000, 4_000)
MODEL = "claude-sonnet-4-6"

HOSTILE = (
    "<script>alert(1)</script>", "</style></title><img src=x onerror=alert(1)>", "\"'><a href=javascript:x>",
    "&lt;b&gt;",
    "| a | b |\n|---|---|", "```\n</details>\n<!--", "`x` ``y``", "@octocat fixes #1, closes GH-2", "[x](http://e.vil)",
    "https://github.com/o/r/issues/3 www.e.vil", "\x1b[31mred\x1b]0;t\x07", "\u202eabc\u2066", "$$x$$ \\| \\\\| :tada:",
    "a\r\n\n# head\n- item\n1. one\n\n    code", "\ud800\udfff\x00\x85\u2028", "</pre></details></table>", "x" * 5_000,
    "**b** __c__ ~~d~~ ^e^ <!-- --> ]]> <![CDATA[", "org/repo#4 o@e.vil", "\u200d\u200b\ufeff",
)  # fmt: skip


def done(task_id: str, **more: Any) -> TaskView:
    """Return a task that has completed."""
    end = {"usage": USED, "usage_by_model": {MODEL: USED}, "usage_is_final": True, "cost_usd": 0.5, "model": MODEL}
    facts: dict[str, Any] = {
        "state": TaskState.COMPLETED, "attempt": 1, "attempts": (attempt(task_id, **end),), "usage": USED,
        "cost_usd": 0.5, "duration_seconds": 5.25, "started_at": NOON, "completed_at": NOON + timedelta(seconds=5),
        "agent": "claude", "outcome": Outcome.OK, "log_path": f"logs/{task_id}.log",
    }  # fmt: skip
    return TaskView(id=task_id, **{**facts, **more})


def failed(task_id: str, error: str = "exit code 1", **more: Any) -> TaskView:
    """Return a task that has failed twice."""
    ends = {"usage": USED, "usage_by_model": {MODEL: USED}, "usage_is_final": True, "cost_usd": 0.5, "error": error}
    attempts = tuple(attempt(task_id, number, Outcome.EXIT, **ends) for number in (1, 2))
    facts = {"state": TaskState.FAILED, "attempt": 2, "attempts": attempts, "outcome": Outcome.EXIT, "error": error}
    return done(task_id, **{**facts, "completed_at": NOON + timedelta(seconds=5), **more})


def report_of(
    *tasks: TaskView, condition: Condition = Condition.FAILED,
    log_ends: Mapping[tuple[str, int], Sequence[str]] | None = None, **run: Any,
) -> Reported:  # fmt: skip
    """Return a report of a run with these tasks."""
    now = NOON + timedelta(seconds=60)
    facts = {"started_at": NOON, "completed_at": now, "end": RunEnd.FAILED}
    if condition is Condition.RUNNING:
        facts = {"started_at": NOON}
    board = Board(run_view(**{**facts, **run}), by_id(*tasks), now, condition)
    parts = parts_of([each for task in tasks for each in task.attempts], lambda moment: moment.date())
    return Reported(board, now, "0.1.0", log_ends or {}, tuple(parts))


def hostile_report() -> Reported:
    """Return a report in which whatever comes from plans and agents is hostile, in every place."""
    tasks, ends = list[TaskView](), {}
    for place, text in enumerate(HOSTILE):
        task_id = f"T{place}{text[:20]}"
        about = {"name": text, "branch": text, "group": text, "depends_on": (text,), "agent": text, "session_id": text,
                 "files_changed": (text,), "result": text, "log_path": text, "log_error": text,
                 "commit_sha": text}  # fmt: skip
        make = failed if place % 2 else done
        tasks.append(make(task_id, **about, **({"error": text} if place % 2 else {"denied": (text,)})))
        ends[task_id, 1] = ends[task_id, 2] = [text] * 3
    tasks.append(TaskView(id="B1", state=TaskState.BLOCKED, blocked_by=(tasks[1].id,), reason=HOSTILE[0]))
    tasks.append(TaskView(id="G1", needs_approval=True, name=HOSTILE[1]))
    text = " ".join(HOSTILE)
    return report_of(*tasks, log_ends=ends, project=text, cascade_file=text, warnings=HOSTILE, run_id=text)
