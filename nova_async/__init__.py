"""Supervise coding agents from asyncio: every byte logged, every token counted, nobody left behind."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nova_async.agents import AgentReport, UsageLimit
    from nova_async.attempt.executor import Executor, Lost, Running
    from nova_async.attempt.job import Job
    from nova_async.cascade import Cascade, CascadeError, Task, load_cascade, parse_cascade
    from nova_async.errors import (
        JournalError,
        NotReadyError,
        NovaError,
        RequestError,
        RunLockedError,
        SelectionError,
        StateFileError,
        WorkerStateError,
    )
    from nova_async.notice.notifying import notifying
    from nova_async.orchestrator.orchestrator import Orchestrator
    from nova_async.prices import ModelPrice, Prices
    from nova_async.records import (
        Attempt,
        AttemptEnd,
        AttemptFacts,
        AttemptId,
        AttemptStart,
        EarlierAttempts,
        Event,
        LogRef,
    )
    from nova_async.tracing.tracing import traced
    from nova_async.usage import TokenUsage
    from nova_async.views import BudgetView, Hold, MilestoneView, RunReport, RunView, TaskView
    from nova_async.words import (
        EventKind,
        Leftovers,
        Outcome,
        Permissions,
        Phase,
        RunEnd,
        TaskState,
        WorkerEnd,
        WorkerStatus,
    )
    from nova_async.worker.async_worker import AsyncWorker
    from nova_async.worker.limits import Limits
    from nova_async.worker.sync_worker import Worker

__all__ = [
    "AgentReport",
    "AsyncWorker",
    "Attempt",
    "AttemptEnd",
    "AttemptFacts",
    "AttemptId",
    "AttemptStart",
    "BudgetView",
    "Cascade",
    "CascadeError",
    "EarlierAttempts",
    "Event",
    "EventKind",
    "Executor",
    "Hold",
    "Job",
    "JournalError",
    "Leftovers",
    "Limits",
    "LogRef",
    "Lost",
    "MilestoneView",
    "ModelPrice",
    "NotReadyError",
    "NovaError",
    "Orchestrator",
    "Outcome",
    "Permissions",
    "Phase",
    "Prices",
    "RequestError",
    "RunEnd",
    "RunLockedError",
    "RunReport",
    "RunView",
    "Running",
    "SelectionError",
    "StateFileError",
    "Task",
    "TaskState",
    "TaskView",
    "TokenUsage",
    "UsageLimit",
    "Worker",
    "WorkerEnd",
    "WorkerStateError",
    "WorkerStatus",
    "load_cascade",
    "notifying",
    "parse_cascade",
    "traced",
]

# Each name is loaded on first access: the command starts in a fifth of the time, and nobody pays for what they do not
# use.
ROOMS = {
    "AgentReport": "agents",
    "AsyncWorker": "worker.async_worker",
    "Attempt": "records",
    "AttemptEnd": "records",
    "AttemptFacts": "records",
    "AttemptId": "records",
    "AttemptStart": "records",
    "BudgetView": "views",
    "Cascade": "cascade",
    "CascadeError": "cascade",
    "EarlierAttempts": "records",
    "Event": "records",
    "EventKind": "words",
    "Executor": "attempt.executor",
    "Hold": "views",
    "Job": "attempt.job",
    "JournalError": "errors",
    "Leftovers": "words",
    "Limits": "worker.limits",
    "LogRef": "records",
    "Lost": "attempt.executor",
    "MilestoneView": "views",
    "ModelPrice": "prices",
    "NotReadyError": "errors",
    "NovaError": "errors",
    "Orchestrator": "orchestrator.orchestrator",
    "Outcome": "words",
    "Permissions": "words",
    "Phase": "words",
    "Prices": "prices",
    "RunEnd": "words",
    "RunLockedError": "errors",
    "RunReport": "views",
    "RunView": "views",
    "Running": "attempt.executor",
    "RequestError": "errors",
    "SelectionError": "errors",
    "StateFileError": "errors",
    "Task": "cascade",
    "TaskState": "words",
    "TaskView": "views",
    "TokenUsage": "usage",
    "UsageLimit": "agents",
    "Worker": "worker.sync_worker",
    "WorkerEnd": "words",
    "WorkerStateError": "errors",
    "WorkerStatus": "words",
    "load_cascade": "cascade",
    "notifying": "notice.notifying",
    "parse_cascade": "cascade",
    "traced": "tracing.tracing",
}


def __getattr__(name: str) -> object:
    if name not in ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
