"""What is recorded about a run: plain values that the journal, the attempts and the orchestrator share."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, final

from nova_async.usage import Gauge, TokenUsage, Totals
from nova_async.words import EventKind, Outcome, Phase, UsageSource

__all__ = [
    "EVENT_SCHEMA", "Attempt", "AttemptEnd", "AttemptFacts", "AttemptId", "AttemptStart", "EarlierAttempts", "Event",
    "LogRef", "RunStart",
]  # fmt: skip

EVENT_SCHEMA = 1
"""Grows when something that programs read from an event means something else, or is gone; not for what is new."""


class AttemptId(NamedTuple):
    """Identifies one attempt of one task in one run; submitted twice, it runs once."""

    run_id: str
    task_id: str
    number: int
    """Counted from 1 for each task of a plan, over all its runs."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LogRef:
    """Identifies one log file, even after a later attempt has renamed it: the inode stays the same."""

    path: str
    """Its path when this was recorded."""
    device: int | None = None
    inode: int | None = None
    """None where the log is not a file on this machine."""


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
    """The name of its OS process in the cookies of the processes it started."""
    pid: int
    pid_start_time: float
    """In the units of this machine's process table; with the pid it identifies one process and no later one."""
    max_workers: int = 1
    boot: str = ""
    """In which boot of the machine, and which of its pid namespaces, that process ran; empty where it is not known."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """One attempt as it began, recorded before anything is started."""

    id: AttemptId
    plan: str
    started_at: datetime
    agent: str
    """Whose output it is: an agent, or ``plain`` for any other program."""
    prompt_digest: str
    command: tuple[str, ...] = ()
    """The whole command line; empty where none could be built."""
    log_path: str = ""
    """Where its log will be."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """The limits that are set, by their names in ``Limits``: seconds, bytes, tokens, US dollars."""
    account: str = ""
    """The name of the account that it uses, as the plan calls it; empty for the agent's usual one."""
    resumes: str | None = None
    """The session of an earlier attempt that the agent goes on with."""
    cwd: str = ""
    """The working folder, as an absolute path; empty where no command could be made."""

    @property
    def served_by(self) -> str:
        """The agent with its account, as a plan has it: ``claude@work``."""
        return f"{self.agent}@{self.account}" if self.account else self.agent


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended; before its last phase, its result so far."""

    id: AttemptId
    outcome: Outcome
    phase: Phase
    """The phase in which it ended."""
    ended_at: datetime
    duration_seconds: float
    """Measured with a monotonic clock."""
    error: str | None = None
    """What went wrong, in one sentence."""
    exit_code: int | None = None
    """The agent's exit code; negative if a signal ended it."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    usage_is_final: bool = False
    """Whether the tokens are the agent's own total and nothing is known to be missing."""
    usage_source: UsageSource = UsageSource.NONE
    """Where the tokens come from."""
    cost_usd: float | None = None
    """The agent's own figure; None where it reports none, which does not mean zero."""
    estimated_usd: float | None = None
    """What the tokens cost by a list of prices, where the agent reports no figure; None where a price is unknown."""
    session_id: str | None = None
    model: str | None = None
    result: str | None = None
    """The agent's final answer; the journal keeps its first 64 KiB."""
    denied: tuple[str, ...] = ()
    """The tools that the agent was denied."""
    limit_kind: str | None = None
    """The usage limit that the account has reached, in the agent's word for it; None if it has reached none."""
    limit_resets_at: datetime | None = None
    """When that limit resets, in UTC; None where that was not said."""
    retry_after: float | None = None
    """Seconds that a busy service asked to be left alone; None where it did not."""
    leftovers: int = 0
    """How many processes outlived the agent."""
    ended_by_us: bool = False
    """Whether we ended the agent: a limit, a stop, or lingering."""
    commit_sha: str | None = None
    files_changed: tuple[str, ...] = ()
    log: LogRef | None = None
    """None where nothing was ever logged."""
    log_error: str | None = None
    """Why bytes are missing from the log, and how many."""

    def add_to(self, total: Totals) -> None:
        """Add what the attempt has used to a running sum."""
        total.add(
            self.usage, usage_by_model=self.usage_by_model, usage_is_final=self.usage_is_final, cost_usd=self.cost_usd,
            estimated_usd=self.estimated_usd, duration_seconds=self.duration_seconds,
        )  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """A snapshot of a running attempt; a new one replaces it when something changes."""

    phase: Phase = Phase.PREPARE
    phase_since: datetime | None = None
    host: str = ""
    """The machine that it runs on; empty means this one."""
    pid: int | None = None
    """The process running in this phase: the agent, or the task's check."""
    pid_start_time: float | None = None
    cookie: str | None = None
    """The mark of its process family in the environment of every member."""
    activity: str | None = None
    """What it is doing now, in one line."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: Mapping[str, TokenUsage] = field(default_factory=dict)
    cost_usd: float | None = None
    """The agent's own figure."""
    cost_is_behind: bool = False
    """Whether tokens were used since it told that figure."""
    estimated_usd: float | None = None
    """What the tokens cost by a list of prices, as long as the agent has reported no figure."""
    session_id: str | None = None
    log: LogRef | None = None
    log_error: str | None = None
    warning: str | None = None
    """What is wrong with it now although it costs nothing yet: half of the silence that would end it is over."""
    looks_like: str | None = None
    """The agent whose events the output seems to be, where it is read as plain text."""
    is_error: bool | None = None
    """Whether the agent's final result is an error; None until it has told one."""
    gauges: tuple[Gauge, ...] = ()
    """How full the account's usage limits are, the latest of each kind, as far as the agent tells."""
    finished: AttemptEnd | None = None
    """The agent's result, once its phase is over: whatever happens next, it need not be paid for again."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt as the journal has it."""

    start: AttemptStart
    counts: bool = True
    """False if ``nova retry`` or ``--fresh`` came later: it is kept, but decides nothing."""
    pid: int | None = None
    pid_start_time: float | None = None
    cookie: str | None = None
    log: LogRef | None = None
    """The log that it writes; once it has ended, ``end`` tells."""
    finished: AttemptEnd | None = None
    """The agent's result when its phase was over."""
    end: AttemptEnd | None = None
    """None while it runs, and after a crash until the next run has recorded it."""

    @property
    def session_id(self) -> str | None:
        """The session that it was in: as its agent told, else the one that it was to resume."""
        told = self.end.session_id if self.end is not None else None
        return told or self.start.resumes


@final
@dataclass(slots=True, kw_only=True)
class EarlierAttempts:
    """What those attempts of a task came to that are too long ago to be told one by one."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    """How many ended how."""
    counting: Counter[Outcome] = field(default_factory=Counter)
    """The same of those that still count."""
    totals: Totals = field(default_factory=Totals)
    """What those have used that began since the plan was begun, or begun anew."""
    used_in: dict[str, TokenUsage] = field(default_factory=dict)
    """What was used in each session that a later attempt was in, too."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run."""

    kind: EventKind
    at: datetime
    task_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Its details, in types that ``json.dumps`` accepts."""
    number: int = 0
    """Its number in the journal, which grows with every event; 0 until it is recorded."""
    run_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a flat JSON object: ``event``, ``at``, ``schema``, ``task`` if it concerns one, and the data."""
        about = {} if self.task_id is None else {"task": self.task_id}
        at = self.at.isoformat(timespec="milliseconds")
        return {"event": str(self.kind), "at": at, "schema": EVENT_SCHEMA, **about, **self.data}
