"""``Worker``: the blocking face, for scripts and threads. Every word of it is ``AsyncWorker``'s, without ``await``."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, final
from weakref import WeakSet

from anyio.from_thread import BlockingPortal, BlockingPortalProvider

from nova_async.errors import WorkerStateError
from nova_async.process.at_exit import before_executors_stop
from nova_async.usage import TokenUsage
from nova_async.worker.async_worker import AsyncWorker, StrPath
from nova_async.worker.life import STOP_GRACE, Leftovers
from nova_async.worker.limits import Limits
from nova_async.worker.log_follower import follow_bytes, follow_lines
from nova_async.worker.log_writer import LogWriter
from nova_async.worker.questions import Questions

__all__ = ["Worker"]

T = TypeVar("T")


class BackgroundLoop:
    """The one event loop, in a thread of its own, on which all blocking workers of this process live.

    It is started by the first call and stopped at the interpreter's exit, after every worker has been ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lease = ExitStack()
        self._portal: BlockingPortal | None = None
        self._workers: WeakSet[AsyncWorker] = WeakSet()

    def adopt(self, worker: AsyncWorker) -> None:
        """Remember a worker that may have to be ended at exit."""
        self._workers.add(worker)

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run a coroutine function on the loop and return its result; Ctrl-C cancels it.

        Raises ``WorkerStateError`` if called from the loop itself, where it could only dead-lock.
        """
        portal = self._running_portal()
        try:
            future = portal.start_task_soon(function, *arguments)
        except RuntimeError as error:
            raise WorkerStateError(f"a blocking worker cannot be used here: {error}") from error
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _running_portal(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                provider = BlockingPortalProvider(backend="asyncio")
                self._portal = self._lease.enter_context(provider)
                before_executors_stop(self._stop)
            return self._portal

    def _stop(self) -> None:
        with self._lock:
            portal, self._portal = self._portal, None
        if portal is not None:
            portal.call(self._end_all)
            self._lease.close()

    async def _end_all(self) -> None:
        await asyncio.gather(*(worker.terminate(grace=0) for worker in self._workers))


LOOP = BackgroundLoop()
LOOPS_OF_PARENTS: list[BackgroundLoop] = []


def after_fork() -> None:
    """Leave the parent its loop: in a forked child its thread does not exist."""
    global LOOP
    LOOPS_OF_PARENTS.append(LOOP)  # collected, its portal would wait for that thread to stop
    LOOP = BackgroundLoop()


os.register_at_fork(after_in_child=after_fork)


@final
class Worker(Questions):
    """One agent as a supervised process, for scripts: the same names as ``AsyncWorker``, blocking.

    It may be used from any thread, also while an event loop runs there (which it then blocks). Leaving a ``with``
    block terminates it; what is still running at the interpreter's exit is ended.

    Raises ``ValueError`` as ``AsyncWorker`` does, and ``WorkerStateError`` in a forked child for its parent's worker.
    """

    def __init__(
        self,
        task_id: str,
        task_description: str = "",
        *,
        log_dir: StrPath = "logs",
        agent: str | None = None,
        limits: Limits | None = None,
        leftovers: Leftovers = "kill",
        resumed_from: TokenUsage | None = None,
    ) -> None:
        self._worker = AsyncWorker(
            task_id,
            task_description,
            log_dir=log_dir,
            agent=agent,
            limits=limits,
            leftovers=leftovers,
            resumed_from=resumed_from,
        )
        self._record = self._worker._record

    @property
    def log_path(self) -> Path:
        """Where the output goes; assignable until the start."""
        return self._worker.log_path

    @log_path.setter
    def log_path(self, path: StrPath) -> None:
        self._worker.log_path = path

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: StrPath | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | str | None = None,
    ) -> None:
        """Start the command and begin to log and count its output; see ``AsyncWorker.start``."""
        LOOP.adopt(self._worker)
        self._call(partial(self._worker.start, cwd=cwd, env=env, stdin=stdin), command)

    def wait(self, timeout: float | None = None) -> int:
        """Block until the worker has ended and return its exit code; see ``AsyncWorker.wait``."""
        return self._call(self._worker.wait, timeout)

    def terminate(self, grace: float = STOP_GRACE) -> None:
        """End the worker with its whole family, and return when nobody of it is left; see ``AsyncWorker.terminate``."""
        self._call(self._worker.terminate, grace)

    def lines(self) -> Generator[str, None, None]:
        """Iterate over the output's lines until the worker has ended; see ``AsyncWorker.lines``."""
        log = self._worker._started_log()
        return self._each_line(log)

    def output(self) -> Generator[bytes, None, None]:
        """Iterate over the raw output in chunks; see ``AsyncWorker.output``."""
        return self._each(follow_bytes(self._worker._started_log()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    def _call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        self._worker._check_process()
        return LOOP.call(function, *arguments)

    def _each_line(self, log: LogWriter) -> Generator[str, None, None]:
        with closing(self._each(follow_lines(log))) as batches:
            for lines in batches:
                yield from lines

    def _each(self, values: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        try:
            while True:
                try:
                    yield self._call(values.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            self._call(values.aclose)
