"""Threads for calls that may block for long, such as those to a slow disk."""

import asyncio
import errno
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from nova_async._core.after_fork import Step, in_child

__all__ = ["DISK_THREADS", "DiskThreads", "in_thread", "open_in_thread"]


class Closable(Protocol):
    """What must be closed in the end: a file, a socket."""

    def close(self) -> object: ...


T = TypeVar("T")
Opened = TypeVar("Opened", bound=Closable)
Job = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]

MOST_THREADS = 64  # each log of a fleet may hang on a dead network disk; beyond this many, jobs queue
IDLE_SECONDS = 10.0  # an idle thread ends after this, so that a quiet program keeps none


_all: "WeakSet[DiskThreads]" = WeakSet()


class DiskThreads(Executor):
    """An executor of daemon threads, started when needed and ended when idle.

    ``ThreadPoolExecutor`` will not do: the interpreter joins its threads at exit, so one write that hangs on a
    dead disk would hang the program. asyncio's own pool will not do either: it has only a handful of threads,
    and whatever else the program runs there would delay the logs.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.after_fork()
        _all.add(self)

    def _forget_threads(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._threads = 0
        self._unclaimed = 0  # idle threads not yet claimed by a submitted job
        self._unserved = 0  # submitted jobs for which no thread was free

    def after_fork(self) -> None:
        """Reset in a forked child, where none of the threads exist."""
        self._lock = threading.Lock()
        self._forget_threads()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run ``fn`` in one of the threads.

        Raises ``OSError`` if there is no thread and none can be started.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._unclaimed > 0:
                self._unclaimed -= 1
            elif self._threads >= MOST_THREADS or not self._add_thread():
                self._unserved += 1
            self._jobs.put((future, fn, args, kwargs))
        return future

    def _add_thread(self) -> bool:
        """Start one more thread, and return whether that worked; if not, the existing ones have to do."""
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError as error:
            if not self._threads:
                raise OSError(errno.EAGAIN, str(error)) from error
            return False
        self._threads += 1
        return True

    def _work(self) -> None:
        while True:
            try:
                future, fn, args, kwargs = self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._unclaimed > 0:
                        self._unclaimed -= 1
                        self._threads -= 1
                        return
                continue  # a job has just claimed this thread
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del future, fn, args, kwargs
            with self._lock:
                if self._unserved > 0:
                    self._unserved -= 1
                else:
                    self._unclaimed += 1


def _start_over_after_fork() -> None:
    for threads in _all:
        threads.after_fork()


in_child(Step.THREADS, _start_over_after_fork)

DISK_THREADS = DiskThreads("nova-disk")
"""The threads in which log files are opened, written, read and closed."""


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Wait for a call in a disk thread; a cancellation ends the waiting, not the call."""
    return await result_of(DISK_THREADS.submit(call, *arguments))


async def result_of(future: "Future[T]") -> T:
    """Wait for a call in a thread; ``asyncio.wrap_future`` costs more than the rest of such a call."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell(_: object) -> None:
        with suppress(RuntimeError):  # the loop was closed, and nobody is waiting
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(tell)
    await done.wait()
    return future.result()


async def open_in_thread(opener: Callable[..., Opened], *arguments: Any) -> Opened:
    """Open something in a disk thread; after a cancellation, whatever the thread still opens is closed again."""
    opening = DISK_THREADS.submit(opener, *arguments)
    try:
        return await result_of(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close_what_was_opened)
        raise


def close_what_was_opened(opening: "Future[Any]") -> None:
    """Close the file of a call that nobody is waiting for any more, if it opened one."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
