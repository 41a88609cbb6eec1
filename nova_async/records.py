"""What is written down of a run: plain values that the journal, the attempts and the orchestrator share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, final

from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome, Phase

__all__ = ["Attempt", "AttemptEnd", "AttemptFacts", "AttemptId", "AttemptStart", "Event", "LogRef", "RunStart"]


class AttemptId(NamedTuple):
    """One attempt of one task in one run; submitted twice, it runs once."""

    run_id: str
    task_id: str
    number: int
    """Counted from 1 for each task of a plan, over all its runs."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LogRef:
    """One log, whatever its name is by now: a later attempt moves it aside, its inode stays."""

    path: str
    """Where it lay when this was written."""
    device: int | None = None
    inode: int | None = None
    """None where the log is no file of this machine."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """One ``nova run`` as it began."""

    run_id: str
    plan: str
    """The plan's path as seen from the journal's folder: results belong to a plan and a task's id."""
    project: str
    started_at: datetime
    supervisor: str
    """The name of its OS process in the cookies of its families."""
    pid: int
    pid_start_time: float
    """As this machine's process table counts; with the pid it means one process and no later one."""
    max_workers: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """One attempt as it began, written down before anything is started."""

    id: AttemptId
    plan: str
    started_at: datetime
    agent: str
    prompt_digest: str
    command: tuple[str, ...] = ()
    """The whole command line; empty where none could be made."""
    log_path: str = ""
    """Where its log is going to be."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Those that are set, by their names in ``Limits``: seconds, bytes, tokens, US dollars."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended; in a phase before the last, what it has come to so far."""

    id: AttemptId
    outcome: Outcome
    phase: Phase
    """The phase in which it ended."""
    ended_at: datetime
    duration_seconds: float
    """By a clock that nobody sets."""
    error: str | None = None
    """What went wrong, in one sentence."""
    exit_code: int | None = None
    """Of the agent; negative where a signal ended it."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    usage_is_final: bool = False
    """Whether the tokens are the agent's own total and nothing is known to be missing."""
    cost_usd: float | None = None
    """As the agent reckons; None where it does not, which is not nothing."""
    session_id: str | None = None
    model: str | None = None
    result: str | None = None
    """The agent's final answer; the journal keeps its first 64 KiB."""
    denied: tuple[str, ...] = ()
    """The tools that the agent was refused."""
    leftovers: int = 0
    """How many processes outlived the agent."""
    ended_by_us: bool = False
    """Whether it was we who ended the agent: a limit, a stop, lingering."""
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    log: LogRef | None = None
    """None where nothing was ever logged."""
    log_error: str | None = None
    """Why bytes are missing in the log, and how many."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """An attempt under way, at one moment; a new one is made when something changes."""

    phase: Phase = Phase.PREPARE
    phase_since: datetime | None = None
    host: str = ""
    """The machine that it runs on; empty is this one."""
    pid: int | None = None
    """The process that works in this phase: the agent, or the task's check."""
    pid_start_time: float | None = None
    cookie: str | None = None
    """The name of its family in the environment of every member."""
    activity: str | None = None
    """What it is doing now, in one line."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    cost_usd: float | None = None
    session_id: str | None = None
    log: LogRef | None = None
    log_error: str | None = None
    finished: AttemptEnd | None = None
    """What the agent has come to, once its phase is over: whatever happens now, it need not be paid again."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt as the journal knows it."""

    start: AttemptStart
    counts: bool = True
    """False for what lies before ``nova retry`` or ``--fresh``: it is remembered, and decides nothing."""
    pid: int | None = None
    pid_start_time: float | None = None
    cookie: str | None = None
    finished: AttemptEnd | None = None
    """What the agent had come to when its phase was over."""
    end: AttemptEnd | None = None
    """None while it runs, and after a crash until the next run has looked."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run."""

    kind: EventKind
    at: datetime
    task_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """More about it, in types that ``json.dumps`` takes."""
    number: int = 0
    """Its number in the journal, growing with every event; 0 until it stands there."""
    run_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as one flat JSON object: ``event``, ``at``, ``task`` where it is about one, and the data."""
        about = {} if self.task_id is None else {"task": self.task_id}
        return {"event": str(self.kind), "at": self.at.isoformat(timespec="milliseconds"), **about, **self.data}
