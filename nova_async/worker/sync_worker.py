"""``Worker``: ``AsyncWorker`` without ``await``, for scripts and threads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, final
from weakref import WeakSet

from anyio.from_thread import BlockingPortal, BlockingPortalProvider

from nova_async._core.after_fork import Step, in_child
from nova_async._core.arguments import as_seconds
from nova_async._core.own_places import LOG_DIR
from nova_async.errors import WorkerStateError
from nova_async.prices import Prices
from nova_async.process.at_exit import before_executors_stop
from nova_async.usage import TokenUsage
from nova_async.worker.async_worker import AsyncWorker, Environment, LeaveOrKill, StrPath
from nova_async.worker.life import STOP_GRACE
from nova_async.worker.limits import Limits
from nova_async.worker.log.follower import follow_bytes, follow_lines
from nova_async.worker.log.writer import LogWriter
from nova_async.worker.questions import Questions
from nova_async.worker.stdin_file import Stdin

__all__ = ["Worker"]

T = TypeVar("T")


class Call(Generic[T]):
    """A call of a coroutine function on the loop, started and perhaps cancelled from another thread.

    ``begin`` and ``cancel`` run on the loop, in that order, so that Ctrl-C may come between any two steps.
    """

    def __init__(self, function: Callable[..., Awaitable[T]], arguments: tuple[Any, ...]) -> None:
        self.over = threading.Event()
        self._function = function
        self._arguments = arguments
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> None:
        """Run it."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._note_end)

    def cancel(self) -> None:
        """Cancel it, if it has begun at all."""
        if self._task is None:
            self.over.set()
        else:
            self._task.cancel()

    def result(self) -> T:
        """Return what it returned, or raise what it raised, once it is over."""
        assert self._task is not None
        if self._task.cancelled():
            raise WorkerStateError("the background event loop of the blocking workers has stopped")
        return self._task.result()

    def _note_end(self, task: "asyncio.Task[T]") -> None:
        if not task.cancelled():
            task.exception()  # mark it as retrieved, even if Ctrl-C came first
        self.over.set()

    async def _run(self) -> T:
        return await self._function(*self._arguments)


class BackgroundLoop:
    """The one event loop, in a thread of its own, on which all blocking workers of this process live.

    It is started by the first call and stopped at the interpreter's exit, after every worker has been ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lease = ExitStack()
        self._portal: BlockingPortal | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0  # the loop's
        self._refusal: str | None = None  # why there is no loop (any more)
        self._workers: WeakSet[AsyncWorker] = WeakSet()
        self._iterations: WeakSet[AsyncGenerator[Any, None]] = WeakSet()

    def adopt(self, worker: AsyncWorker) -> None:
        """Remember a worker that may have to be ended at exit."""
        self._workers.add(worker)

    def adopt_iteration(self, values: AsyncGenerator[Any, None]) -> None:
        """Remember an iteration that may have to be closed at exit."""
        self._iterations.add(values)

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run a coroutine function on the loop and return its result.

        Ctrl-C cancels it and is raised once it has ended, so that no start or end is left half done. A second Ctrl-C
        is raised at once.

        Raises ``WorkerStateError`` as ``check`` does.
        """
        self.check()
        loop = self._running_loop()
        call = Call(function, arguments)
        try:
            try:
                loop.call_soon_threadsafe(call.begin)
                call.over.wait()
            except BaseException:
                loop.call_soon_threadsafe(call.cancel)
                call.over.wait()
                raise
        except RuntimeError as error:  # the loop is closed
            raise WorkerStateError(f"a blocking worker cannot be used here: {error}") from error
        return call.result()

    def check(self) -> None:
        """Raise ``WorkerStateError`` in the loop itself, where to wait is a deadlock, and once it has stopped."""
        self._running_loop()
        if self._thread == threading.get_ident():
            raise WorkerStateError("a blocking worker cannot be used from its own event loop: it would deadlock")

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None and self._refusal is None:
            # In a thread of its own: Ctrl-C interrupts the main one, which would leave the loop half started.
            opening = threading.Thread(target=self._open)
            opening.start()
            opening.join()
        if self._loop is None:
            raise WorkerStateError(f"a blocking worker cannot be used here: {self._refusal}")
        return self._loop

    def _open(self) -> None:
        with self._lock:
            if self._portal is None and self._refusal is None:
                portal = self._lease.enter_context(BlockingPortalProvider(backend="asyncio"))
                self._thread = portal.call(threading.get_ident)
                self._portal, self._loop = portal, portal.call(asyncio.get_running_loop)
                before_executors_stop(self._stop)

    def _stop(self) -> None:
        with self._lock:
            portal, self._portal, self._loop = self._portal, None, None
            self._refusal = "the interpreter is exiting"
        if portal is not None:
            portal.call(self._end_all)
            self._lease.close()

    async def _end_all(self) -> None:
        await asyncio.gather(*(worker.terminate(grace=0) for worker in self._workers))
        for values in list(self._iterations):
            with suppress(RuntimeError):  # another thread is iterating: it ends when the worker does
                await values.aclose()


LOOP = BackgroundLoop()
LOOPS_OF_PARENTS: list[BackgroundLoop] = []


def after_fork() -> None:
    """Replace the parent's loop, whose thread does not exist in a forked child."""
    global LOOP
    LOOPS_OF_PARENTS.append(LOOP)  # kept: if it were collected, its portal would wait for that thread to stop
    LOOP = BackgroundLoop()


in_child(Step.FACADE, after_fork)


@final
class Worker(Questions):
    """One agent as a supervised process, for scripts: the same names as ``AsyncWorker``, blocking.

    It may be used from any thread, even one that runs an event loop (which it then blocks). Leaving a ``with`` block
    terminates it; workers still running at interpreter exit are ended.

    Raises ``ValueError`` as ``AsyncWorker`` does, and ``WorkerStateError`` in a forked child for its parent's worker.
    """

    def __init__(
        self,
        task_id: str,
        task_description: str = "",
        *,
        log_dir: StrPath = LOG_DIR,
        agent: str | None = None,
        limits: Limits | None = None,
        leftovers: LeaveOrKill = "kill",
        resumed_from: TokenUsage | None = None,
        resumes: str | None = None,
        redact: Collection[str] = (),
        prices: Prices | None = None,
        keeper: bool = False,
    ) -> None:
        self._worker = AsyncWorker(
            task_id,
            task_description,
            log_dir=log_dir,
            agent=agent,
            limits=limits,
            leftovers=leftovers,
            resumed_from=resumed_from,
            resumes=resumes,
            redact=redact,
            prices=prices,
            keeper=keeper,
        )
        self._worker._face = "Worker"
        self._over = threading.Event()  # it has ended
        self._record = self._worker._record

    @property
    def log_path(self) -> Path:
        """Where the output goes, as an absolute path; assignable until ``start``."""
        return self._worker.log_path

    @log_path.setter
    def log_path(self, path: StrPath) -> None:
        self._worker.log_path = path

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: StrPath | None = None,
        env: Environment | None = None,
        stdin: Stdin | None = None,
    ) -> None:
        """Start the command, and log and count its output from then on; see ``AsyncWorker.start``."""
        LOOP.adopt(self._worker)
        self._call(self._start, partial(self._worker.start, command, cwd=cwd, env=env, stdin=stdin))

    async def _start(self, start: Callable[[], Awaitable[None]]) -> None:
        try:
            await start()
        finally:
            if (life := self._worker._life) is not None:
                over = self._over  # a worker that is dropped must not be kept by this
                life.task.add_done_callback(lambda _: over.set())

    def wait(self, timeout: float | None = None) -> int:
        """Block until the worker has ended and return its exit code; see ``AsyncWorker.wait``."""
        self._worker._started()
        LOOP.check()
        seconds = threading.TIMEOUT_MAX if timeout is None else as_seconds("timeout", timeout)
        # Here and not in the loop, which would have to be woken for it.
        if self.end is None and not self._over.wait(min(seconds, threading.TIMEOUT_MAX)):
            raise TimeoutError
        exit_code = self.get_exit_code()
        assert exit_code is not None
        return exit_code

    def terminate(self, grace: float = STOP_GRACE) -> None:
        """End the worker with its whole process family; see ``AsyncWorker.terminate``."""
        self._call(self._worker.terminate, grace)

    def suspend(self) -> None:
        """Stop the worker with its whole family where it stands; see ``AsyncWorker.suspend``."""
        self._call(self._worker.suspend)

    def resume(self) -> None:
        """Let the worker go on; one that was not suspended is left alone."""

        async def resume() -> None:
            self._worker.resume()

        self._call(resume)

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
        LOOP.adopt_iteration(values)
        try:
            while True:
                try:
                    yield self._call(values.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            # If it is collected on the loop's own thread, or at interpreter exit, the loop itself closes it.
            with suppress(WorkerStateError):
                self._call(values.aclose)
