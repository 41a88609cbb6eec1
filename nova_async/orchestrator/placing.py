"""One attempt in the hands of an executor, which may be a stranger's: whatever that does costs this attempt only."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar, final

from nova_async.attempt.ends import bare_end, describe_refusal
from nova_async.attempt.executor import Executor, Running
from nova_async.attempt.job import Job
from nova_async.journal.rows import end_of, end_row
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId
from nova_async.words import Outcome

__all__ = ["Placed", "answer", "capacity_of", "close_executor"]

T = TypeVar("T")

PATIENCE = 60.0  # seconds beyond its grace for a stop to be the end; ours may wait 30 s for a disk, 5 s for a pipe
LAST_PATIENCE = 40.0  # seconds after a kill
CLOSE_SECONDS = 60.0  # for an executor to let go; ours needs less than a disk's 30 s (G6)


@final
class Placed:
    """An attempt from the moment it is to begin until its end is known.

    ``on_facts`` is called with what was known before and what is known now. ``on_cancel`` is called where the work of
    the run is cancelled, as at the end of its loop.
    """

    def __init__(
        self,
        attempt: AttemptId,
        *,
        on_facts: Callable[[AttemptFacts, AttemptFacts], object],
        on_cancel: Callable[[], object],
    ) -> None:
        self.id = attempt
        self.facts = AttemptFacts()
        self.program = ""
        self.command: tuple[str, ...] = ()
        self._on_facts = on_facts
        self._on_cancel = on_cancel
        self._running: Running | None = None
        self._grace: float | None = None  # once it is to end
        self.why_stopped: str | None = None
        """Why it is to end, where nobody asked for it."""
        # A future and no task: what cancels all tasks of a loop must not be taken for the end of our patience.
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._patience: asyncio.TimerHandle | None = None
        self.is_over = False
        """Whether its executor has told how it ended."""

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._grace is not None

    async def run(self, executor: Executor, job: Job) -> AttemptEnd:
        """Submit the job and wait for its end."""
        if self._grace is not None:
            return bare_end(self.id, Outcome.CANCELLED, "stopped before it started")
        self.program, self.command = job.command[0], job.command
        try:
            running = executor.submit(job)
        except (OSError, ValueError) as error:
            outcome, sentence = describe_refusal(error, job.command)
            return bare_end(self.id, outcome, sentence)
        except (Exception, asyncio.CancelledError) as error:  # also a future of its own that was cancelled
            return bare_end(self.id, Outcome.EXECUTOR_ERROR, f"the executor rejected the job: {error!r}")
        return await self.follow(running)

    async def follow(self, running: Running) -> AttemptEnd:
        """Wait for the end of what an executor runs, and see that it is the right one."""
        self._running = running
        if self._grace is not None:  # asked for while it was taken over from an earlier run
            self.stop(self._grace)
        with suppress(Exception):  # one without it is only looked at when something else happens
            running.on_change = self._look
        try:
            self._look()
            end = await self._end_of(running)
            self.is_over = True
            self._look()
        except Exception as error:
            end = self._mistake(f"the executor failed: {error!r}")
        self._running = None  # from now on it is not listened to
        return end

    def _mistake(self, text: str) -> AttemptEnd:
        """Return the end of an attempt whose executor broke its contract, and which must not go on unseen."""
        with suppress(Exception):
            if self._running is not None:
                self._running.stop(0.0)
        return bare_end(self.id, Outcome.EXECUTOR_ERROR, text[:500], ran=True)

    def stop(self, grace: float, why: str | None = None) -> None:
        """Ask it to end within so many seconds; an executor that cannot end it is not waited for for ever."""
        if self._grace is None:
            self.why_stopped = why
        self._grace = grace if self._grace is None else min(grace, self._grace)
        if self._running is None:
            return
        with suppress(Exception):
            self._running.stop(grace)
        if self._patience is not None:
            self._patience.cancel()
        seconds = grace + (PATIENCE if grace > 0 else LAST_PATIENCE)
        self._patience = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def latest(self) -> AttemptFacts:
        """Return what is known at this moment, also where nobody has told of a change."""
        try:
            facts = self._running.facts if self._running is not None else self.facts
        except Exception:  # a stranger's
            return self.facts
        return facts if isinstance(facts, AttemptFacts) else self.facts

    def _give_up(self) -> None:
        if not self._given_up.done():
            self._given_up.set_result(None)

    def _look(self) -> None:
        """See what is new, and tell."""
        before, self.facts = self.facts, self.latest()
        if self.facts != before:
            self._on_facts(before, self.facts)

    async def _end_of(self, running: Running) -> AttemptEnd:
        """Return the end as the journal is going to hold it."""
        end = await self._told_end(running)
        if end is None:
            return bare_end(self.id, Outcome.CANCELLED, "its executor did not end it in time", ran=True)
        if not isinstance(end, AttemptEnd) or end.id != self.id:
            return self._mistake(f"the executor reported the end of another attempt: {end!r}")
        try:
            return end_of(self.id, end_row(end))
        except Exception as error:
            return self._mistake(f"the executor reported an end that cannot be recorded ({error!r}): {end!r}")

    async def _told_end(self, running: Running) -> AttemptEnd | None:
        """Return what it says of its end, or None where it has not come in the time that a stop was given."""
        try:
            while True:
                asking = asyncio.get_running_loop().create_task(running.ended())
                while not asking.done() and not self._given_up.done():
                    waited_for: set[asyncio.Future[Any]] = {asking, self._given_up}
                    try:
                        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
                    except asyncio.CancelledError:
                        self._on_cancel()
                if not asking.done():
                    asking.cancel()
                    return None
                if not asking.cancelled():
                    return asking.result()
                if not asking.cancelling():
                    raise RuntimeError("what it waited for was cancelled")  # by nobody here
                self._on_cancel()  # the whole loop ends: the attempt is being killed, and its end is still to come
        finally:
            if self._patience is not None:
                self._patience.cancel()


async def answer(asked: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
    """Wait for a stranger's answer, so many seconds at most; a cancellation that is not ours is its mistake.

    Raises ``TimeoutError`` after that time, and whatever the stranger raises.
    """
    asking = asyncio.get_running_loop().create_task(asked)
    try:
        await asyncio.wait([asking], timeout=seconds)
    finally:
        is_late = not asking.done() and asking.cancel()
    if is_late:
        raise TimeoutError
    if asking.cancelled() and not asking.cancelling():
        raise RuntimeError("what it waited for was cancelled")
    return asking.result()


def capacity_of(executor: Executor, most: int) -> int:
    """Return how many attempts an executor takes at once: ``most`` at the most, and always one."""
    try:
        return max(1, min(most, int(executor.capacity)))
    except Exception:  # a stranger's
        return most


async def close_executor(executor: Executor) -> str | None:
    """Let an executor go, and say what kept it; one that never lets go is left behind."""
    try:
        await answer(executor.close(), CLOSE_SECONDS)
    except TimeoutError:
        return "the executor did not close in time"
    except Exception as error:
        return f"the executor did not close: {error!r}"
    return None
