"""The API of the original's dashboard, in its shapes: its page goes on working, and so does what was written for it."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from nova_async.control.board import Board
from nova_async.journal.rollup import roll_up
from nova_async.journal.state_document import project_document, task_document
from nova_async.views import TaskView
from nova_async.web.logs import Log
from nova_async.words import TaskState

__all__ = ["original_logs", "original_status", "original_task"]

Hierarchy = dict[str, dict[str, list[str]]]

MOST_LOG = 4 * 1024 * 1024  # bytes of a log in one answer, its end: the original gave all of it
LINE = 4 * 1024  # bytes that a line is allowed for, where so many lines are asked for


def original_status(board: Board) -> dict[str, Any]:
    """Return ``/api/status``."""
    run, tasks = board.run, board.tasks
    hierarchy = hierarchy_of(tasks.values())
    return {
        "project": project_document(run),
        "tasks": {task.id: {"name": task.name, **task_document(task)} for task in tasks.values()},
        "rollups": rollups_of(tasks, hierarchy),
        "hierarchy": hierarchy,
        "milestones": [{"id": found.id, "name": found.id, "message": found.message} for found in run.milestones],
        "all_tasks_completed": all(task.state is TaskState.COMPLETED for task in tasks.values()),
        "task_definitions": {
            task.id: {"name": task.name, "branch": task.branch, "group": task.group, "depends_on": task.depends_on}
            for task in tasks.values()
        },
    }


def original_task(task: TaskView) -> dict[str, Any]:
    """Return ``/api/tasks/{id}``."""
    return {"id": task.id, "name": task.name, **task_document(task)}


def original_logs(log: Log, lines: int | None) -> dict[str, Any]:
    """Return ``/api/tasks/{id}/logs``: the last lines, or all, at most the last 4 MiB. It waits for the disk."""
    most = MOST_LOG if lines is None else min(lines * LINE, MOST_LOG)
    size = log.size
    begin = max(size - most, 0)
    text = os.pread(log.file.fileno(), size - begin, begin).decode("utf-8", "backslashreplace")
    if lines is not None:
        text = "".join(text.splitlines(keepends=True)[-lines:])
    return {"task_id": log.task_id, "logs": text}


def hierarchy_of(tasks: Iterable[TaskView]) -> Hierarchy:
    """Return the ids of the tasks by branch and group, in file order."""
    found: Hierarchy = {}
    for task in tasks:
        found.setdefault(task.branch, {}).setdefault(task.group, []).append(task.id)
    return found


def rollups_of(tasks: Mapping[str, TaskView], hierarchy: Hierarchy) -> dict[str, Any]:
    """Sum up the project, its branches and their groups."""
    return {
        "l0_rollup": rollup_of(tasks.values()),
        "l1_rollups": {
            branch: rollup_of(tasks[task_id] for ids in groups.values() for task_id in ids)
            for branch, groups in hierarchy.items()
        },
        "l2_rollups": {
            branch: {group: rollup_of(tasks[task_id] for task_id in ids) for group, ids in groups.items()}
            for branch, groups in hierarchy.items()
        },
    }


def rollup_of(tasks: Iterable[TaskView]) -> dict[str, Any]:
    """Sum up tasks; the original always gave a cost, and its page adds costs up: what is not known counts nothing."""
    total = roll_up(tasks)
    sums = total.sums
    return {
        "status": total.status,
        "duration_seconds": int(sums.duration_seconds),
        "token_usage": sums.usage.as_dict(),
        "cost_usd": round((sums.cost_usd or 0.0) + (sums.estimated_usd or 0.0), 4),
    }
