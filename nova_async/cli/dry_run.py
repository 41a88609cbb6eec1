"""``nova run --dry-run``: what would run, in which order, as whom and where; and what would not, and why."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nova_async._core.text import one_line
from nova_async.cascade import Cascade, Task, TaskOptions
from nova_async.cli.as_whom import LONGEST_COMMAND, callings, describe_callings
from nova_async.cli.columns import columns_of_terminal, table_lines
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.plan import remarks, resuming
from nova_async.cli.say import say

if TYPE_CHECKING:
    from nova_async.orchestrator.outlook import Outlook

__all__ = ["show_dry_run"]


def show_dry_run(cascade: Cascade, outlook: "Outlook", *, max_workers: int, cwd: str, as_json: bool) -> None:
    """Write what a run would do."""
    if as_json:
        say(json.dumps(document(cascade, outlook, max_workers=max_workers, cwd=cwd)))
    else:
        say(*lines(cascade, outlook, max_workers=max_workers, cwd=cwd))


def lines(cascade: Cascade, outlook: "Outlook", *, max_workers: int, cwd: str) -> Iterator[Line]:
    """Give it line by line, for people."""
    begun = [task_id for begun in outlook.rounds for task_id in begun]
    project = Span(one_line(cascade.project or cascade.name), Ink.BOLD)
    yield [project, f": {len(begun)} of {len(cascade.tasks)} tasks would run, up to {max_workers} at once"]
    yield from describe_callings(cascade, begun)
    if Path(cwd) != Path():
        yield [Span("in ", Ink.GREY), one_line(str(Path(cwd).absolute()), LONGEST_COMMAND)]
    front = TaskOptions.layered(cascade.overrides, cascade.settings.task_options)
    rows: list[Sequence[Line]] = []
    for number, tasks in enumerate(outlook.rounds, 1):
        for place, task_id in enumerate(tasks):
            task, check = cascade.tasks[task_id], "its check only" if task_id in outlook.to_check else ""
            gate = f"first `nova approve {task_id}`" if task_id in outlook.to_approve else ""
            more = " · ".join(filter(None, (gate, check, resuming(outlook.resumed.get(task_id)), remarks(task, front))))
            rows.append(row(f"{number}." if place == 0 else "", task, more))
    for place, (task_id, why) in enumerate(outlook.skipped.items()):
        rows.append(row("skipped" if place == 0 else "", cascade.tasks[task_id], why))
    yield from table_lines(rows, folding=(2, 3), width=columns_of_terminal())
    failed = [task_id for task_id, why in outlook.skipped.items() if why.startswith("failed")]
    if failed:
        yield f"`--retry-failed` would also run what failed before: {', '.join(failed)}"


def row(title: str, task: Task, more: str) -> list[Line]:
    """Return the cells of one task."""
    return [[Span(title, Ink.GREY)], [Span(task.id, Ink.BOLD)], one_line(task.name), [Span(one_line(more), Ink.GREY)]]


def document(cascade: Cascade, outlook: "Outlook", *, max_workers: int, cwd: str) -> dict[str, Any]:
    """Return it as one JSON object."""
    begun = [task_id for begun in outlook.rounds for task_id in begun]
    return {
        "event": "dry_run",
        "plan": cascade.name,
        "project": cascade.project,
        "max_workers": max_workers,
        "cwd": str(Path(cwd).absolute()),
        "agents": [calling.as_dict() for calling in callings(cascade, begun)],
        "rounds": outlook.rounds,
        "skipped": outlook.skipped,
        "to_approve": sorted(outlook.to_approve, key=list(cascade.tasks).index),
        "resumed": outlook.resumed,
    }
