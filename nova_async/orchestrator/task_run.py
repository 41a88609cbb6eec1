"""One task on its way through a run: its attempts, the running one, and how both look from outside."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from nova_async.cascade import Task
from nova_async.cascade.settings import RunSettings
from nova_async.journal.records import Attempt
from nova_async.journal.state_file import TaskFacts
from nova_async.orchestrator.executor import Running
from nova_async.orchestrator.retry import retry_delay
from nova_async.orchestrator.views import TaskState, TaskView
from nova_async.usage import TokenUsage

__all__ = ["TaskRun", "add_by_model"]

# What the state file calls each state; it has no words for the finer ones, which stand in `current_step`.
STATE_FILE_WORDS = {"in_progress": "in_progress", "completed": "completed", "failed": "failed"}


CHANCE = random.Random()


class TaskRun:
    """What is known of one task: all its attempts, the ones that count, and the one that runs."""

    def __init__(self, task: Task, attempts: tuple[Attempt, ...] = (), counted: tuple[Attempt, ...] = ()) -> None:
        self.task = task
        self.attempts = list(attempts)
        self.counted = list(counted)
        self.running: Running | None = None
        self.retry_at: datetime | None = None

    @property
    def outcomes(self) -> list[str]:
        """How the attempts that count have ended, the latest last."""
        return [attempt.end.outcome for attempt in self.counted if attempt.end is not None]

    def delay_before_retry(self, settings: RunSettings) -> float | None:
        """Return after how many seconds it is to be tried again; None if it is not."""
        return retry_delay(
            self.outcomes,
            retries=self.task.options.retries,
            retry_on=settings.retry_on,
            backoff=settings.backoff,
            chance=CHANCE,
        )

    def has_given_up(self, settings: RunSettings) -> bool:
        """Tell whether it has failed, and used up what it may be retried."""
        return "ok" not in self.outcomes and bool(self.outcomes) and self.delay_before_retry(settings) is None

    @property
    def next_number(self) -> int:
        """The number of the next attempt."""
        return max((attempt.start.number for attempt in self.attempts), default=0) + 1

    @property
    def session_id(self) -> str | None:
        """The agent's session of the latest attempt that told one."""
        told = [attempt.end.session_id for attempt in self.attempts if attempt.end and attempt.end.session_id]
        return told[-1] if told else None

    @property
    def usage(self) -> TokenUsage:
        """Tokens of all attempts, up to this moment."""
        now = self.running.report.usage if self.running else TokenUsage()
        return sum((attempt.end.usage for attempt in self.attempts if attempt.end), now)

    @property
    def usage_by_model(self) -> dict[str, TokenUsage]:
        """Tokens of all attempts by model, as far as agents tell."""
        total: dict[str, TokenUsage] = {}
        for attempt in self.attempts:
            if attempt.end:
                add_by_model(total, attempt.end.usage_by_model)
        if self.running:
            add_by_model(total, self.running.report.usage_by_model)
        return total

    @property
    def cost_usd(self) -> float | None:
        """US dollars of all attempts, as far as agents tell; None where none did."""
        told = [attempt.end.cost_usd for attempt in self.attempts if attempt.end]
        told.append(self.running.report.cost_usd if self.running else None)
        known = [cost for cost in told if cost is not None]
        return sum(known) if known else None

    @property
    def cost_is_complete(self) -> bool:
        """Whether every attempt that used tokens has told what they cost."""
        return all(
            attempt.end.cost_usd is not None for attempt in self.attempts if attempt.end and attempt.end.usage.total
        )

    @property
    def duration_seconds(self) -> float:
        """Wall time of all attempts, up to this moment."""
        ended = sum(attempt.end.duration_seconds for attempt in self.attempts if attempt.end)
        now = self.running.get_status_dict()["duration_seconds"] if self.running else None
        return ended + (now or 0.0)

    def view(self, state: TaskState, blocked_by: tuple[str, ...], reason: str | None) -> TaskView:
        """Return how the task looks at this moment."""
        last = self.attempts[-1] if self.attempts else None
        end = last.end if last else None
        return TaskView(
            id=self.task.id,
            name=self.task.name,
            branch=self.task.branch,
            group=self.task.group,
            state=state,
            attempt=last.start.number if last else 0,
            outcome=end.outcome if end else None,
            error=end.error if end else None,
            reason=reason,
            activity=self.running.report.activity if self.running else None,
            blocked_by=blocked_by,
            pid=self.running.pid if self.running else None,
            started_at=last.start.started_at if last else None,
            duration_seconds=self.duration_seconds,
            usage=self.usage,
            usage_by_model=self.usage_by_model,
            cost_usd=self.cost_usd,
            log_path=(end.log_path if end and end.log_path else last.start.log_path) if last else None,
            session_id=self.session_id,
        )

    def facts(self, view: TaskView, worker: str) -> TaskFacts:
        """Return what the state file says of the task."""
        last = self.attempts[-1] if self.attempts else None
        end = last.end if last else None
        running = self.running.get_status_dict() if self.running else {}
        final = view.state in ("completed", "failed")
        values: dict[str, Any] = {
            "status": STATE_FILE_WORDS.get(view.state, "pending"),
            "current_step": view.activity if self.running else view.reason,
            "worker_id": worker if self.running else None,
            "pid": view.pid,
            "started_at": view.started_at if self.running or final else None,
            "completed_at": end.ended_at if end and final else None,
            "duration_seconds": self.duration_seconds,
            "usage": view.usage,
            "error": view.error if view.state == "failed" else None,
            "commit_sha": end.commit_sha if end else None,
            "files_changed": end.files_changed if end else (),
            "name": view.name,
            "branch": view.branch,
            "group": view.group,
            "attempt": view.attempt,
            "attempts": tuple(self.attempts),
            "pid_start_time": last.pid_start_time if last and self.running else None,
            "cookie": running.get("cookie"),
            "blocked_by": view.blocked_by,
            "cost_usd": view.cost_usd,
            "usage_exact": all(attempt.end.usage_exact for attempt in self.attempts if attempt.end),
        }
        return TaskFacts(**values)


def add_by_model(total: dict[str, TokenUsage], more: Any) -> None:
    """Add tokens by model to a running total."""
    for model in Counter(more):
        total[model] = total.get(model, TokenUsage()) + more[model]


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)
