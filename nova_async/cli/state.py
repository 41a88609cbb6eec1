"""``cascade_state.json`` as the command reads it: whatever another version or a stranger wrote there does no harm."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self, final

import msgspec

from nova_async.cascade.rollup import TaskFacts
from nova_async.process.signalling import is_still
from nova_async.process.table import TABLE
from nova_async.usage import TokenUsage

__all__ = ["RunState", "StateError", "TaskRow"]

STATUSES = ("pending", "in_progress", "completed", "failed")
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


class StateError(ValueError):
    """The state file cannot be read, or is none."""


class Supervisor(NamedTuple):
    """The process that runs a cascade."""

    pid: int
    start_time: float


@final
@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task in the state file."""

    id: str
    status: str
    step: str
    attempt: int
    facts: TaskFacts
    branch: str
    group: str
    error: str | None
    blocked_by: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class RunState:
    """The state file at one moment."""

    path: Path
    project: str
    started_at: datetime | None
    completed_at: datetime | None
    tasks: Mapping[str, TaskRow]
    is_alive: bool | None
    """Whether the run's supervisor lives; None where the file does not tell which process that is."""
    supervisor: int | None
    run_id: str | None
    milestones: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, now: datetime | None = None) -> Self:
        """Read the file; durations of running tasks are reckoned up to ``now``.

        Raises:
            FileNotFoundError: there is none.
            StateError: it cannot be read, or is no state file.

        """
        try:
            found = msgspec.json.decode(path.read_bytes())
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise StateError(f"{path}: {error}") from error
        if not isinstance(found, dict) or not isinstance(found.get("tasks"), dict):
            raise StateError(f"{path} is no state file: it holds no tasks")
        project, nova = as_table(found.get("project")), as_table(found.get("nova"))
        supervisor = as_table(nova.get("supervisor"))
        now = now or datetime.now(UTC)
        return cls(
            path,
            as_text(project.get("name")) or "",
            as_moment(project.get("started_at")),
            as_moment(project.get("completed_at")),
            {task_id: read_task(task_id, as_table(task), now) for task_id, task in found["tasks"].items()},
            is_process(supervisor.get("pid"), supervisor.get("start_time")),
            supervisor["pid"] if isinstance(supervisor.get("pid"), int) else None,
            as_text(nova.get("run_id")),
            as_table(nova.get("milestones")),
        )


def read_task(task_id: str, task: Mapping[str, Any], now: datetime) -> TaskRow:
    """Read one task."""
    nova = as_table(task.get("nova"))
    status = task.get("status") if task.get("status") in STATUSES else "pending"
    seconds = as_number(task.get("duration_seconds"))
    started = as_moment(task.get("started_at"))
    if status == "in_progress" and started is not None:
        seconds = max(seconds, (now - started).total_seconds())
    usage = as_table(task.get("token_usage"))
    cost = nova.get("cost_usd")
    facts = TaskFacts(
        status=str(status),
        duration_seconds=seconds,
        usage=TokenUsage(*(int(as_number(usage.get(kind))) for kind in KINDS)),
        cost_usd=as_number(cost) if isinstance(cost, int | float) else None,
    )
    blocked = nova.get("blocked_by")
    return TaskRow(
        task_id,
        str(status),
        as_text(task.get("current_step")) or "",
        int(as_number(nova.get("attempt"))),
        facts,
        as_text(nova.get("branch")) or "",
        as_text(nova.get("group")) or "",
        as_text(task.get("error")),
        tuple(map(str, blocked)) if isinstance(blocked, list) else (),
    )


def is_process(pid: Any, start_time: Any) -> bool | None:
    """Tell whether that very process lives, and not a later one with its number; None if no process is named."""
    if not isinstance(pid, int) or pid <= 0:
        return None
    if not isinstance(start_time, int | float):
        entry = TABLE.look(pid)
        return entry is not None and entry.alive
    return is_still(TABLE, Supervisor(pid, start_time))


def as_table(value: Any) -> Mapping[str, Any]:
    """Take a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """Take a text, or nothing."""
    return value if isinstance(value, str) else None


def as_number(value: Any) -> float:
    """Take a number that is not negative, or 0."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0.0


def as_moment(value: Any) -> datetime | None:
    """Take a moment in ISO 8601; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
