"""Runs and tasks as one would see them, for the tests of whoever shows them or writes them down."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nova_async.journal.state_file import StateFile
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, LogRef
from nova_async.views import RunView, TaskView
from nova_async.words import Outcome, Phase

NOON = datetime(2030, 1, 2, 12, 0, 0, 123000, UTC)


def attempt(task_id: str = "F1", number: int = 1, outcome: Outcome | None = Outcome.OK, **end: Any) -> Attempt:
    """Return an attempt that took five seconds, or one that is under way where it has no outcome."""
    start = AttemptStart(
        id=AttemptId("r1", task_id, number), plan="CASCADE.md", started_at=NOON, agent="claude", prompt_digest="abc",
        log_path=f"logs/{task_id}.log",
    )  # fmt: skip
    if outcome is None:
        return Attempt(start=start)
    facts = {"ended_at": NOON + timedelta(seconds=5), "duration_seconds": 5.25, "phase": Phase.SETTLE, **end}
    return Attempt(start=start, end=AttemptEnd(id=start.id, outcome=outcome, **facts))


def log_at(path: Path) -> LogRef:
    """Return which log lies there now."""
    found = path.stat()
    return LogRef(path=str(path), device=found.st_dev, inode=found.st_ino)


def run_view(**more: Any) -> RunView:
    """Return a run of no process."""
    return RunView(**{"run_id": "r1", "project": "Shop", "cascade_file": "CASCADE.md", **more})


def by_id(*tasks: TaskView) -> dict[str, TaskView]:
    """Return tasks by id."""
    return {task.id: task for task in tasks}


def write_state(folder: Path, run: RunView, tasks: Mapping[str, TaskView]) -> Path:
    """Write the state file of a run, as the run itself does."""

    async def write() -> None:
        file = StateFile(path, tasks=tasks, view=tasks.__getitem__, run=lambda: run, scratch=folder / ".nova")
        file.touch()
        await file.close()
        assert file.error is None

    path = folder / "cascade_state.json"
    asyncio.run(write())
    return path
