"""Supervise coding agents from asyncio: every byte logged, every token counted, nobody left behind."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nova_async.agents import AgentReport
    from nova_async.cascade import Cascade, CascadeError, Task, load_cascade, parse_cascade
    from nova_async.errors import NovaError, WorkerStateError
    from nova_async.orchestrator.orchestrator import Orchestrator
    from nova_async.orchestrator.views import RunReport
    from nova_async.status import WorkerEnd, WorkerStatus
    from nova_async.usage import TokenUsage
    from nova_async.worker.async_worker import AsyncWorker
    from nova_async.worker.limits import Limits
    from nova_async.worker.sync_worker import Worker

__all__ = [
    "AgentReport",
    "AsyncWorker",
    "Cascade",
    "CascadeError",
    "Limits",
    "NovaError",
    "Orchestrator",
    "RunReport",
    "Task",
    "TokenUsage",
    "Worker",
    "WorkerEnd",
    "WorkerStateError",
    "WorkerStatus",
    "load_cascade",
    "parse_cascade",
]

# Each name is loaded when it is first asked for: the command starts in a fifth of the time, and nobody pays for a
# face that he does not use.
ROOMS = {
    "AgentReport": "agents",
    "AsyncWorker": "worker.async_worker",
    "Cascade": "cascade",
    "CascadeError": "cascade",
    "Limits": "worker.limits",
    "NovaError": "errors",
    "Orchestrator": "orchestrator.orchestrator",
    "RunReport": "orchestrator.views",
    "Task": "cascade",
    "TokenUsage": "usage",
    "Worker": "worker.sync_worker",
    "WorkerEnd": "status",
    "WorkerStateError": "errors",
    "WorkerStatus": "status",
    "load_cascade": "cascade",
    "parse_cascade": "cascade",
}


def __getattr__(name: str) -> object:
    if name not in ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
