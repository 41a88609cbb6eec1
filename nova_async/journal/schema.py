"""The journal's tables, and how values go into their columns and come out again."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["SCHEMA", "SCHEMA_VERSION", "from_json", "from_moment", "from_text", "to_json", "to_moment", "to_text"]

SCHEMA_VERSION = 1

# An attempt without an outcome has not ended. `counts` is 0 for what lies before a reset. All moments are ISO 8601
# in UTC, so that they sort and that a person can read them with the sqlite3 shell.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    cascade_file TEXT NOT NULL,
    project TEXT NOT NULL,
    started_at TEXT NOT NULL,
    supervisor TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start_time REAL NOT NULL,
    ended_at TEXT,
    how TEXT
);
CREATE TABLE IF NOT EXISTS attempts (
    task_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    counts INTEGER NOT NULL DEFAULT 1,
    started_at TEXT NOT NULL,
    log_path TEXT NOT NULL,
    agent TEXT NOT NULL,
    prompt_digest TEXT NOT NULL,
    pid INTEGER,
    pid_start_time REAL,
    outcome TEXT,
    ended_at TEXT,
    duration_seconds REAL,
    exit_code INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_creation_tokens INTEGER,
    usage_by_model TEXT,
    usage_exact INTEGER,
    cost_usd REAL,
    session_id TEXT,
    model TEXT,
    error TEXT,
    leftovers INTEGER,
    forced INTEGER,
    commit_sha TEXT,
    files_changed TEXT,
    final_log_path TEXT,
    PRIMARY KEY (task_id, number)
);
CREATE INDEX IF NOT EXISTS running_attempts ON attempts (task_id) WHERE outcome IS NULL;
CREATE TABLE IF NOT EXISTS milestones (
    milestone_id TEXT NOT NULL,
    reached_at TEXT NOT NULL,
    counts INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX IF NOT EXISTS reached_once ON milestones (milestone_id) WHERE counts;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    run_id TEXT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    task_id TEXT,
    data TEXT NOT NULL
);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


def to_moment(moment: datetime) -> str:
    """Write a moment as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_moment(text: str) -> datetime:
    """Read a moment."""
    return datetime.fromisoformat(text)


def to_text(text: str | None) -> str | bytes | None:
    """Give SQLite a text it takes: one that is no valid Unicode, as a path may be, goes in as bytes."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_text(value: Any) -> Any:
    """Read what :func:`to_text` gave."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


def to_json(value: Mapping[str, Any] | tuple[Any, ...]) -> str:
    """Write a small structure as JSON; what JSON has no word for becomes its text."""
    return json.dumps(value, default=str, separators=(",", ":"))


def from_json(text: str) -> Any:
    """Read a small structure."""
    return json.loads(text)
