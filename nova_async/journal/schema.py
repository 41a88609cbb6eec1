"""The journal's tables, and which files are journals at all."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from nova_async.errors import JournalError
from nova_async.journal.rows import END, EVENT, PROCESS, RUN, START, Column

__all__ = ["BOOTS", "MADE_LATER", "SCHEMA_VERSION", "SEAL", "TABLES", "check_version", "make_tables"]

SCHEMA_VERSION = 4


def listed(*parts: Sequence[Column]) -> str:
    """Format columns for a table's definition."""
    return ", ".join(f"{column.name} {column.kind}" for columns in parts for column in columns)


# In which boot of the machine a run began; a journal of an earlier nova gets this table with its next run.
BOOTS = "CREATE TABLE IF NOT EXISTS boots (run_id TEXT NOT NULL PRIMARY KEY, boot TEXT NOT NULL)"
# By what a journal shows that it was written here; those of an earlier nova have none.
SEAL = "CREATE TABLE seal (id TEXT NOT NULL, by_key TEXT, by_place TEXT)"

# Who has approved which task of a plan, and when; and which tasks a plan had when it was last run.
MADE_LATER = (
    "CREATE TABLE IF NOT EXISTS approvals (plan TEXT NOT NULL, task_id TEXT NOT NULL, approved_at TEXT NOT NULL,"
    " PRIMARY KEY (plan, task_id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS planned (plan TEXT NOT NULL PRIMARY KEY, task_ids TEXT NOT NULL) WITHOUT ROWID",
)

# An attempt without an outcome has not ended. `finished` holds its agent's result when that phase was over; it is kept
# even if the attempt then ends differently. `counts` is 0 for everything before a reset. Event numbers are never
# reused, so that a reader can continue from one.
TABLES = (
    f"CREATE TABLE runs ({listed(RUN)}, fresh INTEGER NOT NULL DEFAULT 0, ended_at TEXT, how TEXT, control TEXT,"
    " UNIQUE (run_id, plan))",
    f"CREATE TABLE attempts ({listed(START, PROCESS, END)}, PRIMARY KEY (plan, task_id, number),"
    " UNIQUE (run_id, task_id, number), FOREIGN KEY (run_id, plan) REFERENCES runs (run_id, plan))",
    "CREATE INDEX attempts_without_end ON attempts (run_id) WHERE outcome IS NULL",
    f"CREATE TABLE finished (run_id TEXT NOT NULL, task_id TEXT NOT NULL, number INTEGER NOT NULL, {listed(END)},"
    " PRIMARY KEY (run_id, task_id, number),"
    " FOREIGN KEY (run_id, task_id, number) REFERENCES attempts (run_id, task_id, number))",
    "CREATE TABLE phases (run_id TEXT NOT NULL, task_id TEXT NOT NULL, number INTEGER NOT NULL, phase TEXT NOT NULL,"
    " at TEXT NOT NULL, activity TEXT, PRIMARY KEY (run_id, task_id, number, phase),"
    " FOREIGN KEY (run_id, task_id, number) REFERENCES attempts (run_id, task_id, number)) WITHOUT ROWID",
    "CREATE TABLE milestones (plan TEXT NOT NULL, milestone_id TEXT NOT NULL, reached_at TEXT NOT NULL,"
    " counts INTEGER NOT NULL DEFAULT 1)",
    "CREATE UNIQUE INDEX reached_once ON milestones (plan, milestone_id) WHERE counts",
    f"CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, {listed(EVENT)})",
    SEAL,
    BOOTS,
    *MADE_LATER,
)


def make_tables(connection: sqlite3.Connection) -> None:
    """Create the tables, within the caller's transaction."""
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def check_version(path: Path, connection: sqlite3.Connection) -> int:
    """Return the format of a journal, 0 for an empty file.

    Raises ``JournalError`` if a newer program wrote it, or if it is the database of another program.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer nova (format {version}; this version reads up to {SCHEMA_VERSION}):"
            " upgrade nova, or move the file away to start over"
        )
    if version == 0 and tables:
        raise JournalError(f"{path} is another program's database: choose another path for the journal")
    foreign = "SELECT name FROM sqlite_master WHERE type = 'view' OR sql LIKE 'CREATE VIRTUAL%'"
    if (found := connection.execute(foreign).fetchone()) is not None:  # it could make any query run for ever
        raise JournalError(f"{path} contains what nova did not write ({found[0]}): move it away to start over")
    return int(version)
