"""Where an attempt runs: a small seam, so that other places than this machine can take part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, final

from nova_async.agents import AgentReport
from nova_async.status import WorkerEnd
from nova_async.worker.async_worker import AsyncWorker
from nova_async.worker.limits import Limits

__all__ = ["Executor", "Job", "LocalExecutor", "Running"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt, ready to run anywhere."""

    task_id: str
    description: str
    command: tuple[str, ...]
    log_path: Path
    stdin: str | None = None
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment."""
    agent: str | None = None
    """Whose output it is; None lets the command tell."""
    limits: Limits = field(default_factory=Limits)
    leftovers: Literal["kill", "leave"] = "kill"


class Running(Protocol):
    """An attempt that has been started; ``AsyncWorker`` is one."""

    @property
    def pid(self) -> int | None:
        """The process id where it runs."""

    @property
    def end(self) -> WorkerEnd | None:
        """Why it ended; None while it has not."""

    @property
    def error(self) -> str | None:
        """What went wrong."""

    @property
    def report(self) -> AgentReport:
        """What the agent has told so far."""

    def get_exit_code(self) -> int | None:
        """Return the exit code, once there is one."""

    def get_status_dict(self) -> dict[str, Any]:
        """Return everything that is known."""

    async def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""

    async def terminate(self, grace: float = 5.0) -> None:
        """End it with its whole family."""


class Executor(Protocol):
    """Starts attempts. Retries, order and journal are none of its business."""

    async def start(self, job: Job, on_change: Callable[[], object]) -> Running:
        """Start one; ``on_change`` is called whenever its report or status changes.

        Raises the system's ``OSError`` or ``ValueError`` where it cannot start; nothing is left running then.
        """

    async def close(self) -> None:
        """Let go of what the executor itself holds."""


@final
class LocalExecutor:
    """Runs attempts as workers of this process."""

    async def start(self, job: Job, on_change: Callable[[], object]) -> Running:
        """Start one as an ``AsyncWorker``."""
        worker = AsyncWorker(job.task_id, job.description, agent=job.agent, limits=job.limits, leftovers=job.leftovers)
        worker.log_path = job.log_path
        worker.on_change = on_change
        await worker.start(job.command, cwd=job.cwd, env=job.env, stdin=job.stdin)
        return worker

    async def close(self) -> None:
        """Nothing is held."""
