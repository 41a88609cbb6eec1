"""The interface for running attempts elsewhere: attempts are submitted, not processes started."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from nova_async.attempt.job import Job
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId

__all__ = ["CanSuspend", "Executor", "Lost", "Running", "resume", "suspend"]


class Running(Protocol):
    """One submitted attempt, from the moment it was submitted."""

    @property
    def id(self) -> AttemptId:
        """The job's."""
        ...

    @property
    def host(self) -> str:
        """The machine that it runs on, once that is known; empty means this one."""
        ...

    @property
    def facts(self) -> AttemptFacts:
        """What is known about it now. It never waits."""
        ...

    on_change: Callable[[], object] | None
    """Set by the submitter; call it, in the submitter's event loop, after each change of ``facts``."""

    def stop(self, grace: float) -> None:
        """Ask it to end, and kill it ``grace`` seconds later; may be called at any moment, even before it has started.

        It returns at once. Without grace the attempt is killed at once, even if a gentler stop has begun.
        """
        ...

    async def ended(self) -> AttemptEnd:
        """Wait for its end, which carries the attempt's own id, and ``Outcome.LOST`` if nobody knows how it ended."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt of an earlier run that is no longer running anywhere."""

    id: AttemptId


class Executor(Protocol):
    """Runs attempts, and nothing else: order, retries, budgets and the journal are none of its business.

    Whatever it raises or gets wrong fails the task concerned, never the run.
    """

    @property
    def capacity(self) -> int:
        """How many attempts it can run at once, as of now."""
        ...

    def submit(self, job: Job) -> Running:
        """Accept an attempt and return at once. The same job submitted twice runs once.

        Raises ``OSError`` or ``ValueError`` if it cannot accept it; nothing is left running then.
        """
        ...

    async def reclaim(self, ids: Iterable[AttemptId]) -> Mapping[AttemptId, Running | Lost]:
        """Return what became of attempts of an earlier run whose supervisor died."""
        ...

    async def close(self) -> None:
        """Release everything; attempts that are still running are ended."""
        ...


async def suspend(executor: Executor) -> None:
    """Stop the processes of all attempts where they stand, if the executor can; their time limits stand still."""
    if isinstance(executor, CanSuspend):
        with suppress(Exception):  # a stranger's
            await executor.suspend()


def resume(executor: Executor) -> None:
    """Let go on what ``suspend`` has stopped."""
    if isinstance(executor, CanSuspend):
        with suppress(Exception):  # a stranger's
            executor.resume()


@runtime_checkable
class CanSuspend(Protocol):
    """What an executor may be able to do besides: Ctrl-Z stops attempts on this machine together with ``nova``."""

    async def suspend(self) -> None:
        """Stop the processes of all attempts where they stand; their time limits stand still until ``resume``."""
        ...

    def resume(self) -> None:
        """Let them go on."""
        ...
