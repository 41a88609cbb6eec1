"""The document in ``cascade_state.json``: what it says about a run and its tasks, and what a reader makes of it.

Whatever another version or another program wrote there does no harm to a reader.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nova_async._core.own_places import read_file
from nova_async._core.text import UNSEEN
from nova_async.errors import StateFileError
from nova_async.journal.attempt_document import (
    attempt_document,
    earlier_document,
    read_attempts,
    read_earlier,
    read_log,
)
from nova_async.journal.columns import finite
from nova_async.journal.foreign_json import (
    SURROGATES,
    as_count,
    as_flag,
    as_list,
    as_moment,
    as_number,
    as_pid,
    as_table,
    as_text,
    as_texts,
    as_word,
    spelled,
    written_moment,
)
from nova_async.journal.rollup import COLOURS, status_word
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, GaugeView, Hold, MilestoneView, RunView, TaskView
from nova_async.words import Outcome, Phase, RunEnd, TaskState

__all__ = [
    "STATE_SCHEMA",
    "budget_document",
    "encoded",
    "gauge_document",
    "project_document",
    "read_run",
    "read_state",
    "read_task",
    "read_tasks",
    "run_document",
    "task_document",
    "written_moment",
]

STATE_SCHEMA = 1
ENDED = (TaskState.COMPLETED, TaskState.FAILED)
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")

LONGEST_RESULT = 2000  # characters of an agent's answer; all of it is in the journal, and this file is written often
LARGEST_NUMBER = 2**64 - 1  # devices and inodes have 64 bits without a sign, and must be found again exactly
LARGEST = 256 * 1024 * 1024  # bytes; 10,000 tasks with all their attempts are a tenth of it


def run_document(run: RunView) -> dict[str, Any]:
    """Build what the document says about the run: its parts ``project`` and ``nova``."""
    return {
        "project": project_document(run),
        "nova": {
            "schema": STATE_SCHEMA,
            "run_id": run.run_id,
            "supervisor": {"pid": run.pid, "start_time": run.pid_start_time},
            "milestones": {
                found.id: {"message": found.message, "reached_at": written_moment(found.reached_at)}
                for found in run.milestones
            },
            "removed": {task_id: {"outcome": outcome} for task_id, outcome in run.removed.items()},
            "end": run.end,
            "max_workers": run.max_workers,
            "warnings": list(run.warnings),
            "is_paused": run.is_paused,
            "is_stopping": run.is_stopping,
            "holds": [hold_document(hold) for hold in run.holds],
            "budgets": [budget_document(budget) for budget in run.budgets],
            "control": run.control,
            "gauges": [gauge_document(gauge) for gauge in run.gauges],
        },
    }


def project_document(run: RunView) -> dict[str, Any]:
    """Build what the document says about the plan that runs."""
    return {
        "name": run.project,
        "cascade_file": run.cascade_file,
        "started_at": written_moment(run.started_at),
        "completed_at": written_moment(run.completed_at),
    }


def gauge_document(gauge: GaugeView) -> dict[str, Any]:
    """Build what the document says about how full a usage limit is; the events say the same."""
    return {
        "agent": gauge.agent,
        "limit": gauge.kind,
        "used": round(gauge.used, 4),
        "resets_at": written_moment(gauge.resets_at),
        "next_start_at": written_moment(gauge.next_start_at),
    }


def hold_document(hold: Hold) -> dict[str, Any]:
    """Build what the document says about an agent that cannot work."""
    return {
        "agent": hold.agent,
        "program": hold.program,
        "model": hold.model,
        "outcome": hold.outcome,
        "error": hold.error,
        "cure": hold.cure,
        "kind": hold.kind,
        "resets_at": written_moment(hold.resets_at),
        "until": written_moment(hold.until),
        "waiting": list(hold.waiting),
    }


def budget_document(budget: BudgetView) -> dict[str, Any]:
    """Build what the document says about a budget; ``task`` is null for the run's."""
    return {
        "task": budget.task_id,
        "max_cost_usd": budget.max_cost_usd,
        "max_tokens": budget.max_tokens,
        "cost_usd": budget.cost_usd,
        "tokens": budget.tokens,
        "is_used_up": budget.is_used_up,
        "stopped": list(budget.stopped),
        "waiting": list(budget.waiting),
    }


def task_document(view: TaskView) -> dict[str, Any]:
    """Build what the document says about one task: the documented names, and our additions under ``nova``."""
    runs, ended = view.state is TaskState.IN_PROGRESS, view.state in ENDED
    return {
        "status": status_word(view.state),
        "worker_id": f"worker-{view.id}" if runs else None,
        "pid": view.pid,
        "started_at": written_moment(view.started_at if runs or ended else None),
        "completed_at": written_moment(view.completed_at if ended else None),
        "duration_seconds": int(view.duration_seconds),
        "current_step": view.activity if runs else view.reason,
        "token_usage": view.usage.as_dict(),
        "error": view.error if view.state is TaskState.FAILED else None,
        "commit_sha": view.commit_sha,
        "files_changed": list(view.files_changed),
        "nova": {
            "name": view.name,
            "branch": view.branch,
            "group": view.group,
            "depends_on": list(view.depends_on),
            "attempt": view.attempt,
            "agent": view.agent,
            "attempts": [attempt_document(attempt, view.log) for attempt in view.attempts],
            "earlier": None if view.earlier is None else earlier_document(view.earlier),
            "start_time": view.pid_start_time,
            "cookie": view.cookie,
            "blocked_by": list(view.blocked_by),
            "is_stopped": view.is_stopped,
            "needs_approval": view.needs_approval,
            "cost_usd": view.cost_usd,
            "estimated_usd": view.estimated_usd,
            "usage_by_model": {model: used.as_dict() for model, used in view.usage_by_model.items()},
            "usage_exact": view.usage_is_final,
            "usage_is_final": view.usage_is_final,
            "cost_is_complete": view.cost_is_complete,
            "state": view.state,
            "selected": view.is_selected,
            "phase": view.phase,
            "phase_since": written_moment(view.phase_since),
            "is_stopping": view.is_stopping,
            "retry_at": written_moment(view.retry_at),
            "duration_seconds": view.duration_seconds,
            "denied": list(view.denied),
            "result": shortened(view.result),
            "log_error": view.log_error,
        },
    }


def shortened(result: str | None) -> str | None:
    """Return an agent's answer, or the beginning of a long one."""
    if result is None or len(result) <= LONGEST_RESULT:
        return result
    return f"{result[: LONGEST_RESULT - 1]}…"


def encoded(value: Any) -> bytes:
    """Encode as JSON that every reader accepts.

    A name that is not UTF-8 reaches us with lone surrogates, which jq and others reject: they are spelled out. So is
    what could act on the terminal of somebody who prints the file. Infinity and NaN, which JSON does not have, are
    null.
    """
    from msgspec import json as fast_json  # who only reads a document does not need it

    try:
        said = fast_json.encode(value)
    except (UnicodeEncodeError, OverflowError):  # lone surrogates, numbers beyond 64 bits
        text = json.dumps(finite(value, LARGEST_NUMBER), separators=(",", ":"), ensure_ascii=False)
        text = SURROGATES.sub(lambda half: "\\" + spelled(half), text)  # in JSON a backslash is two
    else:
        text = said.decode()
        if text.isascii() and text.isprintable():
            return said
    return re.sub(UNSEEN, lambda unseen: json.dumps(unseen[0])[1:-1], text).encode()


def read_state(path: Path) -> tuple[RunView, dict[str, TaskView]]:
    """Read the run and its tasks as they were when the file was written.

    What the file does not say has its default; an attempt without a time gets that of the Unix epoch.

    Raises ``StateFileError`` if there is no such file, or if nova did not write it.
    """
    try:
        found = json.loads(read_file(path, LARGEST))
    except FileNotFoundError:
        raise StateFileError(f"no run here: {path} does not exist; start one with `nova run`") from None
    except OSError as error:
        raise StateFileError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StateFileError(f"{path} is not a state file: it is not valid JSON ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("tasks"), dict):
        raise StateFileError(f"{path} is not a state file: it contains no tasks")
    return read_run(as_table(found.get("project")), as_table(found.get("nova"))), read_tasks(found["tasks"])


def read_tasks(tasks: Mapping[str, Any]) -> dict[str, TaskView]:
    """Read what the document says about its tasks, in its order."""
    read = (read_task(as_text(task_id) or "", as_table(task)) for task_id, task in tasks.items())
    return {task.id: task for task in read}


def read_run(project: Mapping[str, Any], nova: Mapping[str, Any]) -> RunView:
    """Read what the document says about the run."""
    supervisor = as_table(nova.get("supervisor"))
    reached = {
        as_text(name) or "": (as_text(as_table(said).get("message")) or "", as_moment(as_table(said).get("reached_at")))
        for name, said in as_table(nova.get("milestones")).items()
    }
    removed = {name: as_table(said).get("outcome") for name, said in as_table(nova.get("removed")).items()}
    return RunView(
        run_id=as_text(nova.get("run_id")) or "",
        project=as_text(project.get("name")) or "",
        cascade_file=as_text(project.get("cascade_file")) or "",
        started_at=as_moment(project.get("started_at")),
        completed_at=as_moment(project.get("completed_at")),
        end=as_word(RunEnd, nova.get("end")),
        pid=as_pid(supervisor.get("pid")),
        pid_start_time=as_number(supervisor.get("start_time")),
        max_workers=max(as_count(nova.get("max_workers")), 1),
        milestones=tuple(
            MilestoneView(id=name, message=message, reached_at=at) for name, (message, at) in reached.items() if at
        ),
        removed={as_text(name) or "": as_word(Outcome, outcome) for name, outcome in removed.items()},
        warnings=as_texts(nova.get("warnings")),
        is_paused=as_flag(nova.get("is_paused"), False),
        is_stopping=as_flag(nova.get("is_stopping"), False),
        holds=tuple(read_hold(as_table(said)) for said in as_list(nova.get("holds"))),
        budgets=tuple(read_budget(as_table(said)) for said in as_list(nova.get("budgets"))),
        control=as_text(nova.get("control")),
        gauges=tuple(read_gauge(as_table(said)) for said in as_list(nova.get("gauges"))),
    )


def read_hold(said: Mapping[str, Any]) -> Hold:
    """Read what the document says about an agent that cannot work."""
    return Hold(
        agent=as_text(said.get("agent")) or "",
        program=as_text(said.get("program")) or "",
        model=as_text(said.get("model")),
        outcome=as_word(Outcome, said.get("outcome")) or Outcome.EXIT_UNKNOWN,
        error=as_text(said.get("error")) or "",
        cure=as_text(said.get("cure")) or "",
        kind=as_text(said.get("kind")),
        resets_at=as_moment(said.get("resets_at")),
        until=as_moment(said.get("until")),
        waiting=as_texts(said.get("waiting")),
    )


def read_budget(said: Mapping[str, Any]) -> BudgetView:
    """Read what the document says about a budget."""
    most = said.get("max_tokens")
    return BudgetView(
        task_id=as_text(said.get("task")),
        max_cost_usd=as_number(said.get("max_cost_usd")),
        max_tokens=None if as_number(most) is None else as_count(most),
        cost_usd=as_number(said.get("cost_usd")) or 0.0,
        tokens=as_count(said.get("tokens")),
        is_used_up=as_flag(said.get("is_used_up"), False),
        stopped=as_texts(said.get("stopped")),
        waiting=as_texts(said.get("waiting")),
    )


def read_usage(said: Any) -> TokenUsage:
    """Read the four counts of tokens."""
    usage = as_table(said)
    return TokenUsage(*(as_count(usage.get(kind)) for kind in KINDS))


def read_gauge(said: Mapping[str, Any]) -> GaugeView:
    """Read what the document says about how full a usage limit is."""
    return GaugeView(
        agent=as_text(said.get("agent")) or "",
        kind=as_text(said.get("limit")) or "",
        used=min(as_number(said.get("used")) or 0.0, 1.0),
        resets_at=as_moment(said.get("resets_at")),
        next_start_at=as_moment(said.get("next_start_at")),
    )


def read_task(task_id: str, task: Mapping[str, Any]) -> TaskView:
    """Read what the document says about one task."""
    nova, usage = as_table(task.get("nova")), as_table(task.get("token_usage"))
    state = read_state_word(task.get("status"), nova)
    runs = state is TaskState.IN_PROGRESS
    step, cost = as_text(task.get("current_step")), as_number(nova.get("cost_usd"))
    estimated = as_number(nova.get("estimated_usd"))
    used = read_usage(usage)
    attempts = read_attempts(task_id, nova.get("attempts"), as_moment(task.get("started_at")))
    end = attempts[-1].end if attempts else None
    log = read_log(as_table(nova["attempts"][-1])) if attempts else None
    seconds = as_number(nova.get("duration_seconds"))
    is_exact = not runs and as_flag(nova.get("usage_exact"), not used.total)  # an earlier version took it for granted
    sessions = [attempt.end.session_id for attempt in attempts if attempt.end and attempt.end.session_id]
    return TaskView(
        id=task_id,
        name=as_text(nova.get("name")) or "",
        branch=as_text(nova.get("branch")) or "",
        group=as_text(nova.get("group")) or "",
        depends_on=as_texts(nova.get("depends_on")),
        state=state,
        is_selected=as_flag(nova.get("selected"), True),
        phase=as_word(Phase, nova.get("phase")),
        phase_since=as_moment(nova.get("phase_since")),
        is_stopping=as_flag(nova.get("is_stopping"), False),
        retry_at=as_moment(nova.get("retry_at")),
        attempt=as_count(nova.get("attempt")),
        agent=as_text(nova.get("agent")) or "",
        outcome=end.outcome if end else None,
        error=as_text(task.get("error")),
        reason=None if runs else step,
        activity=step if runs else None,
        blocked_by=as_texts(nova.get("blocked_by")),
        is_stopped=as_flag(nova.get("is_stopped"), False),
        needs_approval=as_flag(nova.get("needs_approval"), False),
        pid=as_pid(task.get("pid")),
        pid_start_time=as_number(nova.get("start_time")),
        cookie=as_text(nova.get("cookie")),
        started_at=as_moment(task.get("started_at")),
        completed_at=as_moment(task.get("completed_at")),
        duration_seconds=as_number(task.get("duration_seconds")) or 0.0 if seconds is None else seconds,
        usage=used,
        usage_by_model={model: read_usage(said) for model, said in as_table(nova.get("usage_by_model")).items()},
        usage_is_final=as_flag(nova.get("usage_is_final"), is_exact),
        cost_usd=cost,
        estimated_usd=estimated,
        cost_is_complete=as_flag(nova.get("cost_is_complete"), cost is not None or not used.total),
        denied=as_texts(nova.get("denied")),
        result=as_text(nova.get("result")),
        session_id=sessions[-1] if sessions else None,
        log_path=log.path if log else None,
        log=log,
        log_error=as_text(nova.get("log_error")),
        commit_sha=as_text(task.get("commit_sha")),
        files_changed=as_texts(task.get("files_changed")),
        attempts=attempts,
        earlier=read_earlier(nova.get("earlier")),
    )


def read_state_word(status: Any, nova: Mapping[str, Any]) -> TaskState:
    """Read a task's state, in the finer words if they agree with the status, which takes precedence."""
    status = status if isinstance(status, str) and status in COLOURS else "pending"
    state = as_word(TaskState, nova.get("state"))
    if state is not None and status_word(state) == status:
        return state
    if status != "pending":
        return TaskState(status)
    return TaskState.BLOCKED if as_texts(nova.get("blocked_by")) else TaskState.WAITING
