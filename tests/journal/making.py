"""Records for the tests of the journal."""

from datetime import UTC, datetime, timedelta
from typing import Any

from nova_async.records import AttemptEnd, AttemptId, AttemptStart, Event, LogRef, RunStart
from nova_async.usage import TokenUsage
from nova_async.words import EventKind, Outcome, Phase, UsageSource

NOON = datetime(2030, 1, 2, 12, 0, 0, 123456, UTC)
PLAN = "../CASCADE.md"
OTHER_PLAN = "../specs/002/tasks.md"


def moment(seconds: float) -> datetime:
    """Return a moment so long after noon."""
    return NOON + timedelta(seconds=seconds)


def run(run_id: str = "r1", plan: str = PLAN, **more: Any) -> RunStart:
    """Make a run."""
    values = {"project": "Shop", "started_at": NOON, "supervisor": "5eed", "pid": 41, "pid_start_time": 123.5}
    return RunStart(**{"run_id": run_id, "plan": plan, **values, **more})


def attempt(task_id: str = "F1", number: int = 1, run_id: str = "r1") -> AttemptId:
    """Name an attempt."""
    return AttemptId(run_id, task_id, number)


def start(task_id: str = "F1", number: int = 1, run_id: str = "r1", **more: Any) -> AttemptStart:
    """Make the beginning of an attempt."""
    values = {"plan": PLAN, "started_at": NOON, "agent": "claude", "prompt_digest": "abc"}
    return AttemptStart(**{"id": AttemptId(run_id, task_id, number), **values, **more})


def full_start(task_id: str = "F1") -> AttemptStart:
    """Make a beginning that has a value other than its default everywhere."""
    return start(
        task_id,
        command=("claude", "-p", "say “no”\n\udcff"),
        log_path=f"logs/{task_id}.log",
        limits={"timeout": 60.0, "max_tokens": 1000},
        account="work",
        resumes="s-0",
    )


def end(task_id: str = "F1", number: int = 1, run_id: str = "r1", **more: Any) -> AttemptEnd:
    """Make the end of an attempt."""
    values = {"outcome": Outcome.OK, "phase": Phase.SETTLE, "ended_at": moment(5), "duration_seconds": 5.25}
    return AttemptEnd(**{"id": AttemptId(run_id, task_id, number), **values, **more})


def full_end(task_id: str = "F1", number: int = 1, run_id: str = "r1", **more: Any) -> AttemptEnd:
    """Make an end that has a value other than its default everywhere."""
    values: dict[str, Any] = {
        "outcome": Outcome.AGENT_ERROR,
        "phase": Phase.RUN,
        "ended_at": moment(7),
        "duration_seconds": 7.125,
        "error": "it said: “no”\n\x00 \udcff \ud800",
        "exit_code": -9,
        "usage": TokenUsage(1, 2, 3, 4),
        "usage_by_model": {"opus": TokenUsage(1, 0, 3, 0), "haiku": TokenUsage(0, 2, 0, 4)},
        "usage_is_final": True,
        "usage_source": UsageSource.SESSION_FILES,
        "cost_usd": 0.1,
        "estimated_usd": 0.2,
        "session_id": "s-1",
        "model": "opus",
        "result": "Done.",
        "denied": ("Bash", "Write"),
        "limit_kind": "five_hour",
        "limit_resets_at": moment(600),
        "retry_after": 0.3,
        "leftovers": 2,
        "ended_by_us": True,
        "commit_sha": "f" * 40,
        "files_changed": ("a.py", "ö/b\udce4.py"),
        "log": LogRef(path="logs/F1.log", device=66, inode=2**63 + 5),
        "log_error": "12 bytes are missing: no space left on device",
    }
    return AttemptEnd(id=AttemptId(run_id, task_id, number), **{**values, **more})


def event(kind: EventKind = EventKind.TASK_COMPLETED, seconds: float = 1, **more: Any) -> Event:
    """Make an event."""
    return Event(kind=kind, at=moment(seconds), **more)
