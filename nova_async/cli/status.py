"""``nova status``: how a run stands, read from its state file; it may be running, over, or dead."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from nova_async.cascade.rollup import COLOURS, Rollup, roll_up
from nova_async.cli.figures import clock_time, describe_cost, describe_duration, short_count, stopwatch
from nova_async.cli.page import page
from nova_async.cli.state import RunState, StateError, TaskRow

__all__ = ["show_status", "state_path"]

STATE_FILE = "cascade_state.json"
FAILED, BAD_INPUT = 1, 2


def state_path(directory: str, state: str | None) -> Path:
    """Return where the state file should be."""
    return Path(state) if state is not None else Path(directory) / STATE_FILE


def show_status(path: Path, *, as_json: bool) -> int:
    """Show the state; return 1 if something failed or the run is dead, 2 if there is nothing to show, else 0."""
    try:
        run = RunState.read(path)
    except FileNotFoundError:
        typer.echo(f"nova: no run here: {path} does not exist; `nova run` starts one", err=True)
        return BAD_INPUT
    except StateError as error:
        typer.echo(f"nova: {error}", err=True)
        return BAD_INPUT
    total = roll_up(task.facts for task in run.tasks.values())
    condition = condition_of(run, total)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(document(run, total, condition)), indent=2))
    else:
        write_status(run, total, condition)
    return FAILED if total.failed or condition == "dead" else 0


def condition_of(run: RunState, total: Rollup) -> str:
    """Say in one word how the run is: ``running``, ``completed``, ``failed``, ``stopped`` or ``dead``."""
    if run.is_alive:
        return "running"
    if total.status == "completed":
        return "completed"
    if total.in_progress:
        return "dead" if run.is_alive is False else "running"
    return "failed" if total.failed else "stopped"


def groups_of(run: RunState) -> dict[tuple[str, str], list[TaskRow]]:
    """Return the tasks by branch and group, in the order of the file."""
    groups: dict[tuple[str, str], list[TaskRow]] = {}
    for task in run.tasks.values():
        groups.setdefault((task.branch, task.group), []).append(task)
    return groups


def document(run: RunState, total: Rollup, condition: str) -> dict[str, Any]:
    """Return it all as one JSON object."""
    return {
        "project": run.project,
        "condition": condition,
        "run_id": run.run_id,
        "supervisor_pid": run.supervisor,
        "is_alive": run.is_alive,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "total": as_json_object(total),
        "groups": [
            {"branch": branch, "group": group, **as_json_object(roll_up(task.facts for task in tasks))}
            for (branch, group), tasks in groups_of(run).items()
        ],
        "tasks": {
            task.id: {
                "status": task.status,
                "current_step": task.step or None,
                "attempt": task.attempt,
                "duration_seconds": round(task.facts.duration_seconds, 3),
                "token_usage": task.facts.usage.as_dict(),
                "cost_usd": task.facts.cost_usd,
                "error": task.error,
                "blocked_by": task.blocked_by,
            }
            for task in run.tasks.values()
        },
        "milestones": run.milestones,
    }


def as_json_object(rollup: Rollup) -> dict[str, Any]:
    """Return a roll-up as a JSON object."""
    fields = dataclasses.asdict(rollup)
    return {**fields, "usage": rollup.usage.as_dict(), "progress": round(rollup.progress, 4)}


def write_status(run: RunState, total: Rollup, condition: str) -> None:
    """Write for people: a head, a table by branch and group, what failed, and the sums."""
    console = page()
    by = f" (pid {run.supervisor})" if condition == "running" and run.supervisor else ""
    since = f", started {clock_time(run.started_at)}" if run.started_at and condition == "running" else ""
    console.print(f"[bold]{escape(run.project or str(run.path))}[/]: {condition}{by}{since}", soft_wrap=True)
    if condition == "dead":
        console.print("the supervisor died while tasks ran; `nova run` takes the run up again", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("task", "state", "doing"):
        table.add_column(title, overflow="fold" if title == "doing" else "ellipsis")
    for title in ("attempt", "tokens", "cost", "time"):
        table.add_column(title, justify="right", no_wrap=True)
    for (branch, group), tasks in groups_of(run).items():
        indent = ""
        if branch or group:
            together = roll_up(task.facts for task in tasks)
            title = " / ".join(filter(None, (branch, group)))
            done = f"{together.completed} of {together.total}"
            table.add_row(f"[bold]{escape(title)}[/]", painted(together.status), done, "", *figures(together))
            indent = "  "
        for task in tasks:
            table.add_row(f"{indent}{escape(task.id)}", painted(state_of(task)), escape(doing(task)), *row_of(task))
    console.print(table)
    console.print(sentence(total), soft_wrap=True)


def state_of(task: TaskRow) -> str:
    """Return the task's status, or ``blocked``, which the file holds as pending."""
    return "blocked" if task.status == "pending" and task.blocked_by else task.status


def doing(task: TaskRow) -> str:
    """Say what the task does, why it failed, or what it waits for."""
    if task.status == "failed":
        return task.error or ""
    return task.step or (f"blocked by {', '.join(task.blocked_by)}" if task.blocked_by else "")


def row_of(task: TaskRow) -> tuple[str, str, str, str]:
    """Return attempt, tokens, cost and time of one task; empty where it has not run."""
    facts = task.facts
    if not (task.attempt or facts.duration_seconds or facts.usage.total):
        return "", "", "", ""
    return str(task.attempt or ""), *figures(roll_up([facts]))


def figures(rollup: Rollup) -> tuple[str, str, str]:
    """Return tokens, cost and time."""
    tokens, used = rollup.usage.total, rollup.cost_usd or not rollup.cost_is_partial
    cost = describe_cost(rollup.cost_usd if used and tokens else None, complete=not rollup.cost_is_partial)
    time = stopwatch(rollup.duration_seconds) if rollup.duration_seconds else ""
    return (short_count(tokens) if tokens else ""), (cost if tokens else ""), time


def painted(status: str) -> str:
    """Write a status in its colour."""
    return f"[{COLOURS.get(status, COLOURS['pending'])}]{status.replace('_', ' ')}[/]"


def sentence(total: Rollup) -> str:
    """Sum up in one line."""
    parts = [f"{total.completed} of {total.total} completed"]
    parts += [f"{total.failed} failed"] if total.failed else []
    parts += [f"{total.in_progress} in progress"] if total.in_progress else []
    parts += [f"{total.usage.total:,} tokens"]
    if total.cost_usd or not total.cost_is_partial:
        parts.append(describe_cost(total.cost_usd, complete=not total.cost_is_partial))
    return " · ".join([*parts, f"{describe_duration(total.duration_seconds)} of work"])
