"""What a child inherits from us and must not: signals blocked in our thread, a limit raised for us alone."""

import resource
import signal
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ["Unblocked", "give_descriptor_limit", "keep_descriptor_limit"]

T = TypeVar("T")

_limit: tuple[int, int] | None = None  # of open descriptors, for children; None if theirs is ours


def keep_descriptor_limit(soft: int, hard: int) -> None:
    """Have children started with this limit of open descriptors, whatever ours is by then."""
    global _limit
    _limit = soft, hard


def give_descriptor_limit(pid: int) -> None:
    """Give a child that has just been started the limit that was kept for it.

    It has ours for its first millisecond or so: nothing can be set between fork and exec without ``preexec_fn`` (G21).
    """
    if _limit is not None and hasattr(resource, "prlimit"):  # not on macOS
        with suppress(OSError):  # it has exited, or became another user
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _limit)


class Unblocked(Generic[T]):
    """Awaits a coroutine that starts a process in its first step, in which no signal is blocked in this thread.

    A child inherits the mask of its thread, and with SIGTERM in it is deaf to being asked to end. It cannot be changed
    in the child: ``preexec_fn`` costs a real fork (G21). A signal that waits behind the mask already stays blocked:
    it would be delivered to us. No other task runs meanwhile.
    """

    def __init__(self, starting: Coroutine[Any, Any, T]) -> None:
        self._starting = starting

    def __await__(self) -> Generator[Any, Any, T]:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        if not blocked:
            return (yield from self._starting.__await__())
        try:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, signal.sigpending() & blocked)
                step = self._starting.send(None)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            while True:  # hand on what the first step waits for, and how that turns out
                try:
                    yield step
                except BaseException as error:
                    step = self._starting.throw(error)
                else:
                    return (yield from self._starting.__await__())
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
