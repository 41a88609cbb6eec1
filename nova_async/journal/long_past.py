"""A long past in bounded memory: the latest attempts of each task in full, and what those before them came to."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nova_async.journal.columns import as_flag, as_moment, as_text, either, to_json, to_text
from nova_async.journal.rows import ATTEMPT, END, TOKENS, attempt_of, fields, names
from nova_async.records import Attempt, EarlierAttempts
from nova_async.usage import TokenUsage

__all__ = ["KEPT", "read_past"]

KEPT = 10  # attempts of a task that are told one by one; a task seldom has three, and a state file holds them all

HAS_OTHERS = "SELECT 1 FROM attempts WHERE plan = ? GROUP BY task_id HAVING count(*) > ? LIMIT 1"
# The last of each outcome as well: whether a task was completed, by what answer, and why it failed, never goes.
WHICH = """
SELECT rowid FROM (
  SELECT rowid, outcome, row_number() OVER (PARTITION BY task_id ORDER BY number DESC) AS place,
    row_number() OVER (PARTITION BY task_id, outcome ORDER BY number DESC) AS of_its_outcome
  FROM attempts WHERE plan = ?
) WHERE place <= ? OR of_its_outcome = 1 OR outcome IS NULL
"""
SUMMED = tuple(
    column for column in END
    if column.field.startswith("usage.")
    or column.name in ("outcome", "usage_by_model", "usage_is_final", "cost_usd", "estimated_usd", "duration_seconds")
)  # fmt: skip
OTHERS = (
    f"SELECT task_id, counts, started_at, coalesce(nullif(session_id, ''), resumes), {names(SUMMED)}"
    " FROM attempts WHERE plan = ? AND rowid NOT IN (SELECT value FROM json_each(?))"
)

Told = dict[str, tuple[Attempt, ...]]


def read_past(
    connection: sqlite3.Connection, plan: str, since: datetime | None
) -> tuple[Told, dict[str, EarlierAttempts]]:
    """Read a plan's attempts: the latest of each task, oldest first, and what the others came to.

    ``since`` is when the plan was begun, or begun anew.
    """
    key = which = to_text(plan)
    rows = "a.plan = ?"
    has_others = connection.execute(HAS_OTHERS, (key, KEPT)).fetchone() is not None
    if has_others:
        which = to_json([row for (row,) in connection.execute(WHICH, (key, KEPT))])
        rows = "a.rowid IN (SELECT value FROM json_each(?))"
    attempts: dict[str, list[Attempt]] = {}
    for row in connection.execute(f"{ATTEMPT} WHERE {rows} ORDER BY a.task_id, a.number", (which,)):
        attempt = attempt_of(row)
        attempts.setdefault(attempt.start.id.task_id, []).append(attempt)
    told = {task_id: tuple(found) for task_id, found in attempts.items()}
    others = connection.execute(OTHERS, (key, which)) if has_others else ()
    return told, summed(others, told, since)


def summed(others: Iterable[tuple[Any, ...]], told: Told, since: datetime | None) -> dict[str, EarlierAttempts]:
    """Add up the attempts that are not told one by one; there may be hundreds of thousands, so none of them is kept."""
    sessions = {task_id: {attempt.session_id for attempt in found} for task_id, found in told.items()}
    sums: dict[str, EarlierAttempts] = {}
    for named, flag, started_at, told_session, *columns in others:
        task_id, counts, session = as_text(named), as_flag(flag), either(as_text)(told_session)
        about = fields(SUMMED, columns)
        outcome, usage = about.pop("outcome"), TokenUsage(*(about.pop(name) for name in TOKENS))
        earlier = sums.setdefault(task_id, EarlierAttempts())
        earlier.outcomes[outcome] += 1
        if counts:
            earlier.counting[outcome] += 1
        if counts or since is None or as_moment(started_at) >= since:
            earlier.totals.add(usage, **about)
        if session in sessions[task_id] and session is not None:
            earlier.used_in[session] = earlier.used_in.get(session, TokenUsage()) + usage
    return sums
