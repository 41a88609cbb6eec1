"""Converting a journal of an older format.

Format 1 knew no plans, only one folder. Format 2 knew less about an attempt: the columns that it lacks keep their
defaults. Neither these nor format 3 knew of sockets and approvals, but for journals of format 3 that were made while
format 4 came about.
"""

import sqlite3
from pathlib import Path

from nova_async.journal.columns import as_text, to_text
from nova_async.journal.plan_key import plan_key
from nova_async.journal.rows import END, START, to_log
from nova_async.journal.schema import MADE_LATER, SCHEMA_VERSION, make_tables
from nova_async.records import LogRef

__all__ = ["bring_up_to_date"]

OLD_TABLES = ("runs", "attempts", "milestones", "events")

# What formats 2 and 3 may lack.
LATER_COLUMNS = {
    "attempts": [(column.name, column.kind) for column in (*START, *END)],
    "finished": [(column.name, column.kind) for column in END],
    "runs": [("control", "TEXT")],
}

COPY = (
    "INSERT INTO runs (run_id, plan, project, started_at, supervisor, pid, pid_start_time, max_workers, fresh,"
    " ended_at, how) SELECT run_id, plan_of(cascade_file), project, started_at, supervisor, pid, pid_start_time, 1, 0,"
    " ended_at, how FROM runs_1 ORDER BY rowid",
    # It had no phases; the outcome shows which was the last.
    "INSERT INTO attempts (run_id, task_id, number, plan, started_at, agent, prompt_digest, command, log_path, limits,"
    " counts, pid, pid_start_time, outcome, phase, ended_at, duration_seconds, error, exit_code, input_tokens,"
    " output_tokens, cache_read_tokens, cache_creation_tokens, usage_by_model, usage_is_final, cost_usd, session_id,"
    " model, denied, leftovers, ended_by_us, commit_sha, files_changed, log)"
    " SELECT run_id, task_id, number, r.plan, a.started_at, agent, prompt_digest, '[]', log_path, '{}', counts, a.pid,"
    " a.pid_start_time, outcome, CASE WHEN outcome IS NULL THEN NULL WHEN outcome IN ('spawn_error', 'log_error')"
    " THEN 'prepare' WHEN outcome = 'verify' THEN 'verify' WHEN outcome = 'ok' THEN 'settle' ELSE 'run' END,"
    " a.ended_at, duration_seconds, error, exit_code, input_tokens, output_tokens, cache_read_tokens,"
    " cache_creation_tokens, usage_by_model, usage_exact, cost_usd, session_id, model,"
    " CASE WHEN outcome IS NOT NULL THEN '[]' END, leftovers, forced, commit_sha, files_changed,"
    " log_of(outcome, log_path, final_log_path)"
    " FROM attempts_1 a JOIN runs r USING (run_id) ORDER BY a.rowid",
    # Only one run at a time used a journal: the one that began last before a milestone has reached it.
    "INSERT INTO milestones (plan, milestone_id, reached_at, counts) SELECT coalesce((SELECT plan FROM runs r"
    " WHERE r.started_at <= reached_at ORDER BY r.rowid DESC LIMIT 1), (SELECT plan FROM runs LIMIT 1)),"
    " milestone_id, reached_at, counts FROM milestones_1 WHERE EXISTS (SELECT 1 FROM runs) ORDER BY rowid",
    "INSERT INTO events (number, kind, at, task_id, data, run_id) SELECT id, kind, at, task_id, data,"
    " coalesce(run_id, '') FROM events_1 ORDER BY id",
)


def log_of(outcome: str | None, log_path: str | bytes, final_log_path: str | bytes | None) -> str | None:
    """Return where the log of an attempt is; its inode was not recorded."""
    if outcome is None or (outcome in ("spawn_error", "log_error") and final_log_path is None):
        return None  # it has not ended, or has left no log
    return to_log(LogRef(path=as_text(log_path if final_log_path is None else final_log_path)))


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Convert all tables, within the caller's transaction and without foreign keys; ``path`` is the journal's own."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 1:
        convert_all(connection, path)
        return
    for table, columns in LATER_COLUMNS.items():
        present = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        for name, kind in columns:
            if name not in present:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    for statement in MADE_LATER:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def convert_all(connection: sqlite3.Connection, path: Path) -> None:
    """Write all that stands in tables of format 1 into new ones."""
    folder = path.parent.parent if path.parent.name == ".nova" else path.parent

    def plan_of(cascade_file: str | bytes) -> str | bytes | None:
        name = as_text(cascade_file)
        try:
            return to_text(plan_key(folder / name, path))
        except ValueError:  # no path can have that name
            return cascade_file

    connection.create_function("plan_of", 1, plan_of, deterministic=True)
    connection.create_function("log_of", 3, log_of, deterministic=True)
    connection.execute("DROP INDEX IF EXISTS running_attempts")
    connection.execute("DROP INDEX IF EXISTS reached_once")
    for table in OLD_TABLES:
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    make_tables(connection)
    for statement in COPY:
        connection.execute(statement)
    for table in reversed(OLD_TABLES):
        connection.execute(f"DROP TABLE {table}_1")
