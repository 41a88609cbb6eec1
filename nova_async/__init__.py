"""Supervise coding agents from asyncio: every byte logged, every token counted, nobody left behind."""

from nova_async.agents import AgentReport
from nova_async.errors import NovaError, WorkerStateError
from nova_async.status import WorkerEnd, WorkerStatus
from nova_async.usage import TokenUsage
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.limits import Limits
from nova_async.worker.sync_worker import Worker

__all__ = [
    "AgentReport",
    "AsyncWorker",
    "Limits",
    "NovaError",
    "TokenUsage",
    "Worker",
    "WorkerEnd",
    "WorkerStateError",
    "WorkerStatus",
]
