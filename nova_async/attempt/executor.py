"""The seam for other machines: attempts are submitted, not processes started."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, final

from nova_async.attempt.job import Job
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId

__all__ = ["Executor", "Lost", "Running"]


class Running(Protocol):
    """One submitted attempt, from the moment it was submitted."""

    @property
    def id(self) -> AttemptId:
        """The job's."""
        ...

    @property
    def host(self) -> str:
        """The machine that it runs on, once that is known; empty is this one."""
        ...

    @property
    def facts(self) -> AttemptFacts:
        """What is known of it now. It never waits."""
        ...

    on_change: Callable[[], object] | None
    """Set by whoever submitted it; to be called, in its event loop, after each change of ``facts``."""

    def stop(self, grace: float) -> None:
        """Ask it to end, and let it be killed ``grace`` seconds later; at any moment, also before it has begun.

        It returns at once. Without grace it is killed at once, also where a gentler stop has begun.
        """
        ...

    async def ended(self) -> AttemptEnd:
        """Wait for its end: the attempt's own id, and ``Outcome.LOST`` where nobody knows how it ended."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt of an earlier run that nobody runs any more."""

    id: AttemptId


class Executor(Protocol):
    """Places attempts, and nothing else: order, retries, budgets and the journal are none of its business.

    Whatever it raises or gets wrong costs the task concerned, never the run.
    """

    @property
    def capacity(self) -> int:
        """How many attempts it takes at once, now."""
        ...

    def submit(self, job: Job) -> Running:
        """Take an attempt on; returns at once. The same job submitted twice runs once.

        Raises the system's ``OSError`` or ``ValueError`` where it cannot take it; nothing is left running then.
        """
        ...

    async def reclaim(self, ids: Iterable[AttemptId]) -> Mapping[AttemptId, Running | Lost]:
        """Say what became of attempts of an earlier run whose supervisor died."""
        ...

    async def close(self) -> None:
        """Let go of everything; attempts that still run are ended."""
        ...
