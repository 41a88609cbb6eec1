"""What is written to a journal: one function per kind of record, which returns what the transaction has to call."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from nova_async.journal.columns import as_moment, cut, to_json, to_moment, to_real, to_text, to_whole, to_word
from nova_async.journal.rows import (
    ATTEMPT,
    END,
    EVENT,
    RUN,
    START,
    Column,
    attempt_of,
    end_row,
    event_row,
    run_row,
    start_row,
    to_log,
)
from nova_async.journal.schema import BOOTS
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, Event, LogRef, RunStart
from nova_async.words import Outcome, Phase, RunEnd

__all__ = ["Write", "agent_end", "approval", "attempt_end", "attempt_start", "control", "event", "lost_attempts",
           "milestone", "no_approval", "phase", "planned", "process", "reset", "run_end", "run_start"]  # fmt: skip

Write = Callable[[sqlite3.Connection], Any]

THIS = "run_id = ? AND task_id = ? AND number = ?"
OVER = "counts AND outcome IS NOT NULL"  # an attempt that is still running is not part of the past


def insertion(table: str, columns: Sequence[Column], *more: str) -> str:
    """Return the statement that adds a row with these columns."""
    found = [*(column.name for column in columns), *more]
    return f"INSERT INTO {table} ({', '.join(found)}) VALUES ({', '.join('?' * len(found))})"


# Put together once: SQLite's module finds a prepared statement by its text.
INSERT_RUN = insertion("runs", RUN, "fresh")
INSERT_START = insertion("attempts", START)
INSERT_FINISHED = insertion("finished", END, "run_id", "task_id", "number").replace("INSERT", "INSERT OR IGNORE", 1)
INSERT_EVENT = insertion("events", EVENT, "number")
UPDATE_END = f"UPDATE attempts SET {', '.join(f'{column.name} = ?' for column in END)} WHERE {THIS}"
UPDATE_OPEN_END = f"{UPDATE_END} AND outcome IS NULL"
UPDATE_PROCESS = f"UPDATE attempts SET pid = ?, pid_start_time = ?, cookie = ?, log = coalesce(log, ?) WHERE {THIS}"
UPSERT_PHASE = (
    "INSERT INTO phases (run_id, task_id, number, phase, at, activity) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (run_id, task_id, number, phase) DO UPDATE SET activity = excluded.activity"
)


def run_start(start: RunStart, fresh: bool, taken_over: Collection[Attempt] = ()) -> Write:
    """Begin a run, with attempts that are over already; after a fresh one nothing earlier of its plan counts.

    Returns the number of the latest event, 0 before the first.
    """

    def write(connection: sqlite3.Connection) -> int:
        connection.execute(INSERT_RUN, (*run_row(start), int(fresh)))
        if start.boot:
            connection.execute(BOOTS)
            connection.execute("INSERT INTO boots VALUES (?, ?)", (to_text(start.run_id), to_text(start.boot)))
        if fresh:
            plan = (to_text(start.plan),)
            connection.execute(f"UPDATE attempts SET counts = 0 WHERE plan = ? AND {OVER}", plan)
            connection.execute("UPDATE milestones SET counts = 0 WHERE plan = ? AND counts", plan)
            connection.execute("DELETE FROM approvals WHERE plan = ?", plan)
        for attempt in taken_over:
            attempt_start(attempt.start)(connection)
            if attempt.end is not None:
                attempt_end(attempt.end)(connection)
        (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
        return int(number)

    return write


def control(run_id: str, address: str | None) -> Write:
    """Note on which socket a run answers."""
    row = (to_text(address), to_text(run_id))
    return lambda connection: connection.execute("UPDATE runs SET control = ? WHERE run_id = ?", row).close()


def run_end(run_id: str, ended_at: datetime, how: RunEnd) -> Write:
    """End a run, unless it has ended."""

    def write(connection: sqlite3.Connection) -> None:
        if not exists(connection, "runs WHERE run_id = ?", (to_text(run_id),)):
            raise LookupError(f"run {run_id} was never started")
        row = (to_moment(ended_at), to_word(RunEnd)(how), to_text(run_id))
        connection.execute("UPDATE runs SET ended_at = ?, how = ? WHERE run_id = ? AND ended_at IS NULL", row)

    return write


def attempt_start(start: AttemptStart) -> Write:
    """Begin an attempt; its task must not have one with that number yet, and its run must have begun with its plan."""
    return lambda connection: connection.execute(INSERT_START, start_row(start)).close()


def process(id: AttemptId, pid: int, pid_start_time: float, cookie: str | None, log: LogRef | None = None) -> Write:  # noqa: A002
    """Note which process works for an attempt, and its log: without an end it could not be found again."""
    row = (to_whole(pid), to_real(pid_start_time), to_text(cookie), to_log(log), *key(id))
    return lambda connection: connection.execute(UPDATE_PROCESS, row).close()


def phase(id: AttemptId, phase: Phase, at: datetime, activity: str | None) -> Write:  # noqa: A002
    """Note that a phase of an attempt has begun, and later its activity."""
    row = (*key(id), to_word(Phase)(phase), to_moment(at), to_text(cut(activity)))
    return lambda connection: connection.execute(UPSERT_PHASE, row).close()


def agent_end(finished: AttemptEnd) -> Write:
    """Keep the result of an attempt's agent, while the attempt goes on. The first one counts."""

    def write(connection: sqlite3.Connection) -> None:
        check_begun(connection, finished.id)
        connection.execute(INSERT_FINISHED, (*end_row(finished), *key(finished.id)))

    return write


def attempt_end(end: AttemptEnd) -> Write:
    """End an attempt, unless it has ended."""

    def write(connection: sqlite3.Connection) -> None:
        updated = connection.execute(UPDATE_OPEN_END, (*end_row(end), *key(end.id)))
        if updated.rowcount == 0:
            check_begun(connection, end.id)

    return write


def open_attempts(connection: sqlite3.Connection) -> list[Attempt]:
    """Read the attempts of all plans that have no end, oldest first."""
    rows = connection.execute(f"{ATTEMPT} WHERE a.outcome IS NULL ORDER BY a.rowid").fetchall()
    return [attempt_of(row) for row in rows]


def lost_attempts(now: datetime, but_for: Collection[AttemptId], remains: Mapping[AttemptId, AttemptEnd]) -> Write:
    """End as lost every attempt that has no end, keeping its agent's result or what remains of it; return them."""

    def write(connection: sqlite3.Connection) -> list[Attempt]:
        lost = []
        for attempt in open_attempts(connection):
            if attempt.start.id in but_for:
                continue
            end = lost_end(attempt, remains.get(attempt.start.id), last_sign(connection, attempt), now)
            end = replace(end, phase=last_phase(connection, attempt))
            connection.execute(UPDATE_END, (*end_row(end), *key(end.id)))
            lost.append(replace(attempt, end=end))
        return lost

    return write


def lost_end(attempt: Attempt, remains: AttemptEnd | None, last_seen: datetime, now: datetime) -> AttemptEnd:
    """Return the end of an attempt whose supervisor died.

    It lasted until the last sign of its life: nobody knows more, and the run that finds it may come days later.
    """
    if attempt.finished is not None:
        return replace(attempt.finished, outcome=Outcome.LOST, ended_at=now)
    id, began = attempt.start.id, attempt.start.started_at  # noqa: A001
    ended = max(began, min(now, last_seen if remains is None else max(last_seen, remains.ended_at)))
    bare = AttemptEnd(id=id, outcome=Outcome.LOST, phase=Phase.PREPARE, ended_at=ended, duration_seconds=0.0)
    return replace(remains or bare, ended_at=ended, duration_seconds=(ended - began).total_seconds())


def last_sign(connection: sqlite3.Connection, attempt: Attempt) -> datetime:
    """Return when an attempt's run last recorded anything: until then its supervisor lived, and it with it."""
    row = connection.execute(
        "SELECT at FROM events WHERE run_id = ? ORDER BY number DESC LIMIT 1", (to_text(attempt.start.id.run_id),)
    ).fetchone()
    return attempt.start.started_at if row is None else as_moment(row[0])


def last_phase(connection: sqlite3.Connection, attempt: Attempt) -> Phase:
    """Return the phase that an attempt was in, as far as it was recorded."""
    rows = connection.execute(f"SELECT phase FROM phases WHERE {THIS}", key(attempt.start.id))
    noted = [Phase(name) for (name,) in rows]
    if attempt.finished is not None:
        noted.append(attempt.finished.phase)
    if attempt.pid is not None:
        noted.append(Phase.RUN)
    return max(noted, key=list(Phase).index, default=Phase.PREPARE)


def reset(plan: str, task_ids: Iterable[str]) -> Write:
    """Make the attempts so far of these tasks of a plan no longer count."""
    rows = [(to_text(plan), to_text(task_id)) for task_id in task_ids]
    statement = f"UPDATE attempts SET counts = 0 WHERE plan = ? AND task_id = ? AND {OVER}"
    return lambda connection: connection.executemany(statement, rows).close()


def approval(plan: str, task_ids: Iterable[str], approved_at: datetime) -> Write:
    """Note that tasks of a plan are approved, unless they already were."""
    rows = [(to_text(plan), to_text(task_id), to_moment(approved_at)) for task_id in task_ids]
    statement = "INSERT OR IGNORE INTO approvals (plan, task_id, approved_at) VALUES (?, ?, ?)"
    return lambda connection: connection.executemany(statement, rows).close()


def no_approval(plan: str, task_ids: Iterable[str]) -> Write:
    """Take back the approval of these tasks of a plan."""
    rows = [(to_text(plan), to_text(task_id)) for task_id in task_ids]
    statement = "DELETE FROM approvals WHERE plan = ? AND task_id = ?"
    return lambda connection: connection.executemany(statement, rows).close()


def planned(plan: str, task_ids: Iterable[str]) -> Write:
    """Note which tasks a plan has now."""
    row = (to_text(plan), to_json(list(task_ids)))
    return lambda connection: connection.execute("REPLACE INTO planned (plan, task_ids) VALUES (?, ?)", row).close()


def milestone(plan: str, milestone_id: str, reached_at: datetime) -> Write:
    """Note that a plan's milestone is reached, unless it already was."""
    row = (to_text(plan), to_text(milestone_id), to_moment(reached_at))
    statement = "INSERT OR IGNORE INTO milestones (plan, milestone_id, reached_at) VALUES (?, ?, ?)"
    return lambda connection: connection.execute(statement, row).close()


def event(event: Event) -> Write:
    """Note that something happened, under its number if it has one; raises at once if the event is malformed."""
    row = (*event_row(event), event.number or None)  # now: its data may change later
    return lambda connection: connection.execute(INSERT_EVENT, row).close()


def key(id: AttemptId) -> tuple[Any, ...]:  # noqa: A002
    """Return what identifies an attempt, as its columns hold it."""
    return to_text(id.run_id), to_text(id.task_id), to_whole(id.number)


def check_begun(connection: sqlite3.Connection, id: AttemptId) -> None:  # noqa: A002
    """Raise ``LookupError`` for an attempt that has never begun."""
    if not exists(connection, f"attempts WHERE {THIS}", key(id)):
        raise LookupError(f"attempt {id.number} of task {id.task_id} was never started in run {id.run_id}")


def exists(connection: sqlite3.Connection, rows: str, parameters: tuple[Any, ...]) -> bool:
    """Tell whether such a row exists."""
    (found,) = connection.execute(f"SELECT EXISTS (SELECT 1 FROM {rows})", parameters).fetchone()
    return bool(found)
