"""What is known of a worker: one immutable state at a time, readable from any thread without a lock."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nova_async.agents import AgentReport
from nova_async.process.family import Member
from nova_async.redaction import Redaction
from nova_async.words import WorkerEnd, WorkerStatus
from nova_async.worker.log.writer import LogWriter
from nova_async.worker.pricing import Pricing

if TYPE_CHECKING:
    from nova_async.records import LogRef

__all__ = ["Record", "State"]

_log = logging.getLogger("nova_async")


@dataclass(frozen=True, slots=True)
class State:
    """A snapshot of a worker, replaced as a whole, so that nobody ever sees half of a change."""

    status: WorkerStatus = WorkerStatus.PENDING
    pid: int | None = None
    pid_start_time: float | None = None  # as the process table counts
    is_alive: bool = False
    exit_code: int | None = None
    end: WorkerEnd | None = None
    error: str | None = None
    had_finished: bool = False  # with success, when or while we ended it
    warning: str | None = None
    agent: str | None = None
    command: tuple[str, ...] | None = None
    started_at: datetime | None = None
    started_clock: float = 0.0  # seconds on the monotonic clock, for durations that a changed wall clock cannot bend
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    leftovers: tuple[Member, ...] = ()
    cookie: str | None = None  # the family's path in the environment of every member


# Both are as good for everybody: they are never altered.
NOT_STARTED = State()
NOTHING_REPORTED = AgentReport()


@dataclass(slots=True)
class Record:
    """A worker's facts: written by its supervision alone, read by anyone."""

    task_id: str
    task_description: str
    wanted_log_path: Path
    """Where the log starts out, perhaps relative to ``folder``; a later worker with the same id renames it."""
    folder: str = ""
    """The current folder when that path was given: the program may change it before the start, or later."""
    state: State = NOT_STARTED
    report: AgentReport = NOTHING_REPORTED
    log: LogWriter | None = None
    redaction: Redaction = field(default_factory=Redaction)
    """What must not be told, once it is known in which environment the process runs."""
    pricing: Pricing | None = None
    """What its tokens cost by prices; None where nothing is to be estimated."""
    on_change: Callable[[], object] | None = None

    def set_state(self, state: State) -> None:
        """Replace the state, and call ``on_change``."""
        self.state = state
        self.tell()

    def set_report(self, report: AgentReport) -> None:
        """Replace the agent's report, and call ``on_change`` if it is another one."""
        if report == self.report:
            return
        self.report = report
        if self.pricing is not None:
            self.pricing.note(report)
        self.tell()

    @property
    def estimated_usd(self) -> float | None:
        """What the tokens up to now cost by prices, as long as the agent has told no cost itself."""
        return None if self.pricing is None else self.pricing.estimate(self.report)

    def tell(self) -> None:
        """Call ``on_change``."""
        if self.on_change is None:
            return
        try:
            self.on_change()
        except Exception as error:  # the user's code must not cost the worker its supervision
            message = f"on_change callback of worker {self.task_id} failed"
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # the worker's loop was closed under it
                _log.exception(message)
            else:
                loop.call_exception_handler({"message": message, "exception": error})

    @property
    def log_path(self) -> Path:
        """Where the log is now, relative if its path was given as a relative one."""
        wanted = self.wanted_log_path
        if self.log is None or self.log.path.name == wanted.name:
            return wanted
        return wanted.with_name(self.log.path.name)

    @property
    def absolute_log_path(self) -> Path:
        """Where the log is now, as an absolute path."""
        path = self.log_path
        return path if path.is_absolute() else Path(self.folder, path)

    @property
    def log_ref(self) -> "LogRef | None":
        """Identifies the log file, so that it can be found after it was renamed."""
        if self.log is None:
            return None
        from nova_async.records import LogRef  # who asks for it has loaded them; a worker alone needs none

        device, inode = self.log.identity if self.log.is_regular else (None, None)
        return LogRef(path=str(self.log_path), device=device, inode=inode)

    @property
    def log_error(self) -> str | None:
        """What is or was wrong with the log, and how many bytes are missing from it."""
        if self.log is None or self.log.error is None:
            return None
        return f"{self.log.error} ({self.log.lost} bytes not logged)" if self.log.lost else self.log.error

    @property
    def duration_seconds(self) -> float | None:
        """Seconds since the start, or from start to end."""
        if self.state.started_at is None or self.state.duration_seconds is not None:
            return self.state.duration_seconds
        return time.monotonic() - self.state.started_clock

    def as_dict(self) -> dict[str, Any]:
        """Everything, in types that ``json.dumps`` accepts; times are ISO 8601 in UTC."""
        state, report, duration = self.state, self.report, self.duration_seconds
        return {
            "task_id": self.task_id,
            "task_description": self.redaction.text(self.task_description),
            "status": state.status.value,
            "pid": state.pid,
            "exit_code": state.exit_code,
            "is_alive": state.is_alive,
            "token_usage": report.usage.as_dict(),
            "usage_is_final": report.usage_is_final,
            "usage_source": report.usage_source.value,
            "usage_by_model": {model: usage.as_dict() for model, usage in report.usage_by_model.items()},
            "cost_usd": report.cost_usd,
            "estimated_usd": self.estimated_usd,
            "log_path": str(self.absolute_log_path),
            "log_error": self.log_error,
            "command": None if state.command is None else list(state.command),
            "agent": state.agent,
            "started_at": iso(state.started_at),
            "completed_at": iso(state.completed_at),
            "duration_seconds": None if duration is None else round(duration, 3),
            "end": None if state.end is None else state.end.value,
            "error": state.error,
            "warning": state.warning,
            "session_id": report.session_id,
            "model": report.model,
            "turns": report.turns,
            "activity": report.activity,
            "cookie": state.cookie,
            "leftovers": len(state.leftovers),
            "leftover_processes": [{"pid": member.pid, "name": member.name} for member in state.leftovers],
        }


def iso(moment: datetime | None) -> str | None:
    """Format a time as the state file does."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
