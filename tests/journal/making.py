"""Records for the tests of the journal."""

from datetime import UTC, datetime, timedelta
from typing import Any

from nova_async.journal.records import AttemptEnd, AttemptStart, RunStart
from nova_async.usage import TokenUsage

NOON = datetime(2030, 1, 2, 12, 0, 0, 123456, UTC)


def moment(seconds: float) -> datetime:
    """Return a moment so long after noon."""
    return NOON + timedelta(seconds=seconds)


def run(run_id: str = "r1", **more: Any) -> RunStart:
    """Make a run."""
    values = {"cascade_file": "CASCADE.md", "project": "Shop", "started_at": NOON, "supervisor": "5eed", "pid": 41}
    return RunStart(**{"run_id": run_id, **values, "pid_start_time": 123.5, **more})


def start(task_id: str = "F1", number: int = 1, run_id: str = "r1", **more: Any) -> AttemptStart:
    """Make the beginning of an attempt."""
    values = {"started_at": NOON, "log_path": f"logs/{task_id}.log", "agent": "claude", "prompt_digest": "abc"}
    return AttemptStart(**{"run_id": run_id, "task_id": task_id, "number": number, **values, **more})


def end(outcome: str = "ok", **more: Any) -> AttemptEnd:
    """Make the end of an attempt."""
    return AttemptEnd(**{"outcome": outcome, "ended_at": moment(5), "duration_seconds": 5.25, **more})


def full_end() -> AttemptEnd:
    """Make an end that has a value other than its default everywhere."""
    return AttemptEnd(
        outcome="agent_error",
        ended_at=moment(7),
        duration_seconds=7.125,
        exit_code=-9,
        usage=TokenUsage(1, 2, 3, 4),
        usage_by_model={"opus": TokenUsage(1, 0, 3, 0), "haiku": TokenUsage(0, 2, 0, 4)},
        usage_exact=True,
        cost_usd=0.1,
        session_id="s-1",
        model="opus",
        error="it said: “no”\n\x00 \udcff \ud800",
        leftovers=2,
        forced=True,
        commit_sha="f" * 40,
        files_changed=("a.py", "ö/b\udce4.py"),
        log_path="logs/F1~1.log",
    )
