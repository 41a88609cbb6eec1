"""What a journal knows about the past, and the queries that its writers and readers share."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import final

from nova_async.journal.columns import as_flag, as_moment, as_text, as_texts, either, from_word, to_text
from nova_async.journal.long_past import read_past
from nova_async.journal.rows import ATTEMPT, RUN, attempt_of, names, run_of
from nova_async.records import Attempt, EarlierAttempts, RunStart
from nova_async.words import RunEnd

__all__ = ["History", "Run", "read_attempts", "read_boots", "read_history", "read_planned", "read_runs"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as the journal has it."""

    start: RunStart
    fresh: bool = False
    """Whether nothing earlier of its plan counts since."""
    ended_at: datetime | None = None
    end: RunEnd | None = None
    """None while it runs, and after a crash until the next run has recorded it."""
    control: str | None = None
    """The address of the socket on which it answers, or has answered; None if it has none."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that a journal knows about one plan at one moment."""

    runs: tuple[RunStart, ...] = ()
    """The runs of this plan, oldest first."""
    started_at: datetime | None = None
    """When the first run that still counts started: the last fresh one, or the very first."""
    attempts: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    """The latest attempts of each task, oldest first, including those that no longer count."""
    earlier: Mapping[str, EarlierAttempts] = field(default_factory=dict)
    """What the attempts of each task came to that are not among them."""
    milestones: Mapping[str, datetime] = field(default_factory=dict)
    """When each was reached."""
    approved: Mapping[str, datetime] = field(default_factory=dict)
    """When each task was approved that has been."""
    planned: frozenset[str] | None = None
    """The tasks that the plan had when it was last run; None before that, and where an earlier nova has run it."""
    unfinished_runs: tuple[RunStart, ...] = ()
    """The runs of all plans without an end: one that is running now, and those whose supervisor died."""


def read_history(connection: sqlite3.Connection, plan: str) -> History:
    """Read all about a plan except its events, as of one moment: the caller has begun a transaction."""
    runs = read_runs(connection, "WHERE plan = ? ORDER BY rowid", to_text(plan))
    since = max((number for number, run in enumerate(runs) if run.fresh), default=0)
    started_at = runs[since].start.started_at if runs else None
    attempts, earlier = read_past(connection, plan, started_at)
    milestones = "SELECT milestone_id, reached_at FROM milestones WHERE plan = ? AND counts ORDER BY rowid"
    approved = "SELECT task_id, approved_at FROM approvals WHERE plan = ? ORDER BY task_id"
    unfinished = read_runs(connection, "WHERE ended_at IS NULL ORDER BY rowid")
    boots = read_boots(connection) if unfinished else {}
    return History(
        runs=tuple(run.start for run in runs),
        started_at=started_at,
        attempts=attempts,
        earlier=earlier,
        milestones={as_text(name): as_moment(at) for name, at in connection.execute(milestones, (to_text(plan),))},
        approved={as_text(name): as_moment(at) for name, at in connection.execute(approved, (to_text(plan),))},
        planned=read_planned(connection, plan),
        unfinished_runs=tuple(replace(run.start, boot=boots.get(run.start.run_id, "")) for run in unfinished),
    )


def read_planned(connection: sqlite3.Connection, plan: str) -> frozenset[str] | None:
    """Read which tasks a plan had when it was last run."""
    found = connection.execute("SELECT task_ids FROM planned WHERE plan = ?", (to_text(plan),)).fetchone()
    return frozenset(as_texts(found[0])) if found else None


def read_boots(connection: sqlite3.Connection) -> dict[str, str]:
    """Read in which boot of the machine each run began; a journal of an earlier nova does not know."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'boots'").fetchone():
        return {}
    return {as_text(run): as_text(boot) for run, boot in connection.execute("SELECT run_id, boot FROM boots")}


def read_runs(connection: sqlite3.Connection, which: str, *parameters: object) -> list[Run]:
    """Read those runs."""
    moment, word, text = either(as_moment), either(from_word(RunEnd)), either(as_text)
    rows = connection.execute(f"SELECT fresh, ended_at, how, control, {names(RUN)} FROM runs {which}", parameters)
    return [
        Run(
            start=run_of(columns), fresh=as_flag(fresh), ended_at=moment(ended_at), end=word(how), control=text(control)
        )
        for fresh, ended_at, how, control, *columns in rows
    ]


def read_attempts(connection: sqlite3.Connection, which: str, *parameters: object) -> list[Attempt]:
    """Read those attempts."""
    return [attempt_of(row) for row in connection.execute(f"{ATTEMPT} {which}", parameters)]
