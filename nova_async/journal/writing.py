"""What is written into a journal: one function per kind of record, to be run within a transaction."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, replace
from datetime import datetime
from typing import Any

from nova_async.journal.reading import ATTEMPT_COLUMNS, attempt_of
from nova_async.journal.records import Attempt, AttemptEnd, AttemptStart, RunStart
from nova_async.journal.schema import to_json, to_moment, to_text

__all__ = ["attempt_end", "attempt_start", "event", "lost_attempts", "milestone", "process", "reset", "run_end",
           "run_start"]  # fmt: skip

Write = Callable[[sqlite3.Connection], Any]

END_COLUMNS = (
    "outcome", "ended_at", "duration_seconds", "exit_code",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "usage_by_model", "usage_exact",
    "cost_usd", "session_id", "model", "error", "leftovers", "forced", "commit_sha", "files_changed", "final_log_path",
)  # fmt: skip
UPDATE_END = f"UPDATE attempts SET {', '.join(f'{column} = ?' for column in END_COLUMNS)}"


def run_start(start: RunStart, fresh: bool) -> Write:
    """Begin a run; a fresh one lets nothing earlier count."""

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO runs (run_id, cascade_file, project, started_at, supervisor, pid, pid_start_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                start.run_id,
                to_text(start.cascade_file),
                to_text(start.project),
                to_moment(start.started_at),
                start.supervisor,
                start.pid,
                start.pid_start_time,
            ),
        )
        if fresh:
            connection.execute("UPDATE attempts SET counts = 0 WHERE counts")
            connection.execute("UPDATE milestones SET counts = 0 WHERE counts")

    return write


def run_end(run_id: str, ended_at: datetime, how: str) -> Write:
    """End a run, unless it has ended."""

    def write(connection: sqlite3.Connection) -> None:
        (known,) = connection.execute("SELECT count(*) FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if not known:
            raise LookupError(f"run {run_id} has never begun")
        values = (to_moment(ended_at), how, run_id)
        connection.execute("UPDATE runs SET ended_at = ?, how = ? WHERE run_id = ? AND ended_at IS NULL", values)

    return write


def attempt_start(start: AttemptStart) -> Write:
    """Begin an attempt; one with that number must not exist, and its run must."""

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO attempts (run_id, task_id, number, started_at, log_path, agent, prompt_digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                start.run_id,
                start.task_id,
                start.number,
                to_moment(start.started_at),
                to_text(start.log_path),
                to_text(start.agent),
                start.prompt_digest,
            ),
        )

    return write


def process(task_id: str, number: int, pid: int, pid_start_time: float) -> Write:
    """Note which process an attempt is."""
    values = (pid, pid_start_time, task_id, number)
    statement = "UPDATE attempts SET pid = ?, pid_start_time = ? WHERE task_id = ? AND number = ?"
    return lambda connection: connection.execute(statement, values).close()


def log_moved(task_id: str, number: int, log_path: str) -> Write:
    """Note where the log of an attempt that has ended is by now."""
    values = (to_text(log_path), task_id, number)
    statement = "UPDATE attempts SET final_log_path = ? WHERE task_id = ? AND number = ?"
    return lambda connection: connection.execute(statement, values).close()


def attempt_end(task_id: str, number: int, end: AttemptEnd) -> Write:
    """End an attempt, unless it has ended: the first end wins."""

    def write(connection: sqlite3.Connection) -> None:
        statement = f"{UPDATE_END} WHERE task_id = ? AND number = ? AND outcome IS NULL"
        if connection.execute(statement, (*end_values(end), task_id, number)).rowcount == 0:
            found = "SELECT count(*) FROM attempts WHERE task_id = ? AND number = ?"
            if connection.execute(found, (task_id, number)).fetchone() == (0,):
                raise LookupError(f"attempt {number} of task {task_id} has never begun")

    return write


def lost_attempts(ended_at: datetime) -> Write:
    """End every attempt that has no end as ``lost``, and return them."""

    def write(connection: sqlite3.Connection) -> list[Attempt]:
        columns = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE outcome IS NULL ORDER BY started_at, task_id"
        lost = []
        for attempt in [attempt_of(row) for row in connection.execute(columns)]:
            seconds = max(0.0, (ended_at - attempt.start.started_at).total_seconds())
            end = AttemptEnd(outcome="lost", ended_at=ended_at, duration_seconds=seconds)
            key = attempt.start.task_id, attempt.start.number
            connection.execute(f"{UPDATE_END} WHERE task_id = ? AND number = ?", (*end_values(end), *key))
            lost.append(replace(attempt, end=end))
        return lost

    return write


def reset(task_ids: Iterable[str]) -> Write:
    """Let the attempts so far of these tasks no longer count."""
    values = [(task_id,) for task_id in task_ids]
    statement = "UPDATE attempts SET counts = 0 WHERE task_id = ? AND counts"
    return lambda connection: connection.executemany(statement, values).close()


def milestone(milestone_id: str, reached_at: datetime) -> Write:
    """Note that a milestone is reached, unless it has been."""
    values = (to_text(milestone_id), to_moment(reached_at))
    statement = "INSERT OR IGNORE INTO milestones (milestone_id, reached_at) VALUES (?, ?)"
    return lambda connection: connection.execute(statement, values).close()


def event(run_id: str | None, at: datetime, kind: str, task_id: str | None, data: Mapping[str, Any]) -> Write:
    """Note that something happened."""
    values = (run_id, to_moment(at), kind, to_text(task_id), to_json(data))
    statement = "INSERT INTO events (run_id, at, kind, task_id, data) VALUES (?, ?, ?, ?, ?)"
    return lambda connection: connection.execute(statement, values).close()


def end_values(end: AttemptEnd) -> tuple[Any, ...]:
    """Return what the columns of an end hold."""
    return (
        end.outcome,
        to_moment(end.ended_at),
        end.duration_seconds,
        end.exit_code,
        *astuple(end.usage),
        to_json({name: astuple(usage) for name, usage in end.usage_by_model.items()}),
        int(end.usage_exact),
        end.cost_usd,
        to_text(end.session_id),
        to_text(end.model),
        to_text(end.error),
        end.leftovers,
        int(end.forced),
        end.commit_sha,
        to_json(end.files_changed),
        to_text(end.log_path),
    )
