"""Reading a journal: from the connection that writes it, and from any other process."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nova_async.journal.errors import JournalError, explained
from nova_async.journal.records import Attempt, AttemptEnd, AttemptStart, History, JournalEvent, RunStart
from nova_async.journal.schema import SCHEMA_VERSION, from_json, from_moment, from_text
from nova_async.usage import TokenUsage

__all__ = ["ATTEMPT_COLUMNS", "attempt_of", "check_version", "read_events", "read_from_outside", "read_history"]

T = TypeVar("T")

BUSY_SECONDS = 5.0  # how long a reader waits for a writer that recovers the journal after a crash

ATTEMPT_COLUMNS = """
    run_id, task_id, number, started_at, log_path, agent, prompt_digest, pid, pid_start_time,
    outcome, ended_at, duration_seconds, exit_code,
    input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, usage_by_model, usage_exact,
    cost_usd, session_id, model, error, leftovers, forced, commit_sha, files_changed, final_log_path
"""
RUN_COLUMNS = "run_id, cascade_file, project, started_at, supervisor, pid, pid_start_time"


def read_history(connection: sqlite3.Connection) -> History:
    """Read everything, but the events, as of one moment: the caller has begun a transaction."""
    runs, unfinished = [], []
    for *columns, ended_at in connection.execute(f"SELECT {RUN_COLUMNS}, ended_at FROM runs ORDER BY rowid"):
        runs.append(run_of(columns))
        if ended_at is None:
            unfinished.append(runs[-1])
    attempts: dict[str, list[Attempt]] = {}
    counted: dict[str, list[Attempt]] = {}
    rows = connection.execute(f"SELECT counts, {ATTEMPT_COLUMNS} FROM attempts ORDER BY task_id, number")
    for counts, *columns in rows:
        attempt = attempt_of(columns)
        attempts.setdefault(attempt.start.task_id, []).append(attempt)
        if counts:
            counted.setdefault(attempt.start.task_id, []).append(attempt)
    milestones = connection.execute("SELECT milestone_id, reached_at FROM milestones WHERE counts ORDER BY rowid")
    return History(
        runs=tuple(runs),
        attempts={task_id: tuple(found) for task_id, found in attempts.items()},
        counted={task_id: tuple(found) for task_id, found in counted.items()},
        milestones={from_text(milestone_id): from_moment(at) for milestone_id, at in milestones},
        unfinished_runs=tuple(unfinished),
    )


def read_events(connection: sqlite3.Connection, run_id: str | None, after: int) -> list[JournalEvent]:
    """Read the events of one run, or of all, that came after the one with that id."""
    rows = connection.execute(
        "SELECT id, run_id, at, kind, task_id, data FROM events"
        " WHERE id > ? AND run_id IS coalesce(?, run_id) ORDER BY id",
        (after, run_id),
    )
    return [
        JournalEvent(
            id=number, run_id=run, at=from_moment(at), kind=kind, task_id=from_text(task), data=from_json(data)
        )
        for number, run, at, kind, task, data in rows
    ]


def run_of(columns: Any) -> RunStart:
    """Make a run of its row."""
    run_id, cascade_file, project, started_at, supervisor, pid, pid_start_time = map(from_text, columns)
    return RunStart(
        run_id=run_id,
        cascade_file=cascade_file,
        project=project,
        started_at=from_moment(started_at),
        supervisor=supervisor,
        pid=pid,
        pid_start_time=pid_start_time,
    )


def attempt_of(columns: Any) -> Attempt:
    """Make an attempt of its row."""
    run_id, task_id, number, started_at, log_path, agent, digest, pid, pid_start_time, *end = map(from_text, columns)
    return Attempt(
        start=AttemptStart(
            run_id=run_id,
            task_id=task_id,
            number=number,
            started_at=from_moment(started_at),
            log_path=log_path,
            agent=agent,
            prompt_digest=digest,
        ),
        pid=pid,
        pid_start_time=pid_start_time,
        end=None if end[0] is None else end_of(end),
    )


def end_of(columns: list[Any]) -> AttemptEnd:
    """Make the end of an attempt of the columns that hold it."""
    outcome, ended_at, duration, exit_code, *tokens = columns[:8]
    by_model, exact, cost, session_id, model, error, leftovers, forced, commit_sha, files, log_path = columns[8:]
    return AttemptEnd(
        outcome=outcome,
        ended_at=from_moment(ended_at),
        duration_seconds=duration,
        exit_code=exit_code,
        usage=TokenUsage(*tokens),
        usage_by_model={name: TokenUsage(*kinds) for name, kinds in from_json(by_model).items()},
        usage_exact=bool(exact),
        cost_usd=cost,
        session_id=session_id,
        model=model,
        error=error,
        leftovers=leftovers,
        forced=bool(forced),
        commit_sha=commit_sha,
        files_changed=tuple(from_json(files)),
        log_path=log_path,
    )


def check_version(path: Path, version: int, tables: int) -> None:
    """Refuse a journal of a newer program and another program's database; version 0 without tables is a new one."""
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer nova (its format is {version}, this nova knows {SCHEMA_VERSION}):"
            " upgrade nova, or move the file away and start anew"
        )
    if version == 0 and tables:
        raise JournalError(f"{path} is the database of another program: choose another place for the journal")


def read_from_outside(path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    """Read the journal of a run that another process may be writing, or that was killed; nothing is made or changed.

    Raises:
        JournalError: there is none, or it cannot be read.

    """
    wal = path.with_name(path.name + "-wal")
    try:
        if not path.exists():
            raise JournalError(f"{path} does not exist: nothing has been run here yet")
        # Without a -wal file nobody writes, and a plain read-only connection would make one and leave it behind.
        # An immutable one reads the file as it lies; should a writer come meanwhile, what was read is read again.
        quiet = not wal.exists()
        try:
            found = read_once(path, "immutable=1" if quiet else "mode=ro", read)
        except sqlite3.Error:
            if not quiet or not wal.exists():
                raise
        else:
            if not quiet or not wal.exists():
                return found
        return read_once(path, "mode=ro", read)
    except (sqlite3.Error, OSError) as error:
        raise explained(path, error) from error


def read_once(path: Path, how: str, read: Callable[[sqlite3.Connection], T]) -> T:
    """Read in one transaction of a connection of its own."""
    address = f"{path.absolute().as_uri()}?{how}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
        database.execute("BEGIN")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        check_version(path, version, tables)
        if version == 0:
            raise JournalError(f"{path} is empty: nothing has been run here yet")
        return read(database)
