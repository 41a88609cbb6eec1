"""What a journal holds: runs, attempts and events, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, final

from nova_async.usage import TokenUsage

__all__ = ["Attempt", "AttemptEnd", "AttemptStart", "History", "JournalEvent", "RunStart"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """One ``nova run`` as it began."""

    run_id: str
    cascade_file: str
    project: str
    started_at: datetime
    supervisor: str
    """The name of its OS process in the cookies of its families."""
    pid: int
    pid_start_time: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """One attempt of a task as it began."""

    run_id: str
    task_id: str
    number: int
    """Counted from 1 per task, over all runs."""
    started_at: datetime
    log_path: str
    agent: str
    prompt_digest: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended."""

    outcome: str
    """One word of the vocabulary; only ``ok`` completes a task."""
    ended_at: datetime
    duration_seconds: float
    exit_code: int | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    usage_exact: bool = False
    """Whether the tokens are the agent's own final total."""
    cost_usd: float | None = None
    session_id: str | None = None
    model: str | None = None
    error: str | None = None
    leftovers: int = 0
    """How many processes outlived the agent."""
    forced: bool = False
    """Whether we ended it."""
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    log_path: str | None = None
    """Where its log lies now, if that is not where it began."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a task: its beginning, its process, and its end once it has one."""

    start: AttemptStart
    pid: int | None = None
    pid_start_time: float | None = None
    end: AttemptEnd | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that a journal knows at one moment."""

    runs: tuple[RunStart, ...] = ()
    """Oldest first."""
    attempts: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    """All attempts ever of each task, oldest first: for numbering, and for sums of tokens and time."""
    counted: Mapping[str, tuple[Attempt, ...]] = field(default_factory=dict)
    """Those since the task was last reset: they decide whether it is completed and how many retries are used up."""
    milestones: Mapping[str, datetime] = field(default_factory=dict)
    """When each was reached."""
    unfinished_runs: tuple[RunStart, ...] = ()
    """Those that nobody has ended: one that works right now, and those whose supervisor died."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEvent:
    """Something that happened, as the journal holds it."""

    id: int
    """Grows with every event; ask for those after it."""
    run_id: str | None
    at: datetime
    kind: str
    task_id: str | None
    data: Mapping[str, Any]
