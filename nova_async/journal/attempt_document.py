"""The part of the state file that is about one attempt: what it says, and what a reader makes of it. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nova_async.journal.foreign_json import (
    as_count,
    as_flag,
    as_list,
    as_moment,
    as_number,
    as_table,
    as_text,
    as_word,
    written_moment,
)
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, EarlierAttempts, LogRef
from nova_async.usage import Totals
from nova_async.words import Outcome, Phase

__all__ = ["attempt_document", "earlier_document", "read_attempts", "read_earlier", "read_log"]

LONG_AGO = datetime.fromtimestamp(0, UTC)


def attempt_document(attempt: Attempt, live: LogRef | None) -> dict[str, Any]:
    """Build what the document says about one attempt; while it runs, its outcome is null and its log is ``live``.

    ``log`` is null if there is none, yet or ever.
    """
    end = attempt.end
    log = end.log if end else live
    return {
        "outcome": end.outcome if end else None,
        "exit_code": end.exit_code if end else None,
        "log": log.path if log else None,
        "session_id": end.session_id if end else None,
        "cost_usd": end.cost_usd if end else None,
        "estimated_usd": end.estimated_usd if end else None,
        "leftovers": end.leftovers if end else 0,
        "forced": end.ended_by_us if end else False,
        "number": attempt.start.id.number,
        "started_at": written_moment(attempt.start.started_at),
        "ended_at": written_moment(end.ended_at if end else None),
        "duration_seconds": end.duration_seconds if end else None,
        "log_device": log.device if log else None,
        "log_inode": log.inode if log else None,
        "agent": attempt.start.agent,
    }


def earlier_document(earlier: EarlierAttempts) -> dict[str, Any]:
    """Build what the document says about the attempts that it does not tell one by one."""
    return {"outcomes": dict(earlier.outcomes), "duration_seconds": earlier.totals.duration_seconds}


def read_earlier(said: Any) -> EarlierAttempts | None:
    """Read what the document says about the attempts that it does not tell one by one; None if there are none."""
    if not isinstance(said, Mapping):
        return None
    outcomes = {as_word(Outcome, word): as_count(count) for word, count in as_table(said.get("outcomes")).items()}
    return EarlierAttempts(
        outcomes=Counter({outcome: count for outcome, count in outcomes.items() if outcome is not None}),
        totals=Totals(duration_seconds=as_number(said.get("duration_seconds")) or 0.0),
    )


def read_attempts(task_id: str, told: Any, started_at: datetime | None) -> tuple[Attempt, ...]:
    """Read a task's attempts; an earlier version gave them neither a number nor a start time."""
    numbered = enumerate(as_list(told), 1)
    return tuple(read_attempt(task_id, as_table(said), place, started_at or LONG_AGO) for place, said in numbered)


def read_attempt(task_id: str, said: Mapping[str, Any], place: int, otherwise: datetime) -> Attempt:
    """Read one attempt; ``place`` is its number and ``otherwise`` its start time if the file does not say."""
    log = read_log(said)
    start = AttemptStart(
        id=AttemptId("", task_id, as_count(said.get("number")) or place),
        plan="",
        started_at=as_moment(said.get("started_at")) or otherwise,
        agent=as_text(said.get("agent")) or "",
        prompt_digest="",
        log_path=log.path if log else "",
    )
    if said.get("outcome") is None:
        return Attempt(start=start)
    code = said.get("exit_code")
    end = AttemptEnd(
        id=start.id,
        outcome=as_word(Outcome, said["outcome"]) or Outcome.EXIT_UNKNOWN,
        phase=Phase.SETTLE,
        ended_at=as_moment(said.get("ended_at")) or start.started_at,
        duration_seconds=as_number(said.get("duration_seconds")) or 0.0,
        exit_code=code if isinstance(code, int) else None,
        session_id=as_text(said.get("session_id")),
        cost_usd=as_number(said.get("cost_usd")),
        estimated_usd=as_number(said.get("estimated_usd")),
        leftovers=as_count(said.get("leftovers")),
        ended_by_us=as_flag(said.get("forced"), False),
        log=log,
    )
    return Attempt(start=start, end=end)


def read_log(said: Mapping[str, Any]) -> LogRef | None:
    """Read which log an attempt has; None if it has none, yet or ever."""
    path, device, inode = as_text(said.get("log")), said.get("log_device"), said.get("log_inode")
    if path is None:
        return None
    known = isinstance(device, int) and isinstance(inode, int)
    return LogRef(path=path, device=device if known else None, inode=inode if known else None)
