"""What must still happen when the interpreter exits: no process of a family may outlive its supervisor.

There are two moments. The early one comes before ``concurrent.futures`` joins its threads and refuses new work: an
ordinary ``atexit`` hook would be too late for code that needs an executor, and would never run while an executor's
thread waits for a worker. The late one is that ordinary hook; it serves threads that Python waits for in between.
"""

import atexit
import concurrent.futures.thread  # noqa: F401 (its own hook has to be registered before ours: they run in LIFO order)
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from nova_async._core.after_fork import Step, in_child

__all__ = ["before_executors_stop", "before_exit", "expect", "forget", "is_settled", "register"]

PATIENCE = 5.0  # seconds for all families together, however many are unkillable

_log = logging.getLogger("nova_async")


class EndableFamily(Protocol):
    """What is needed of a family here."""

    cookie: str

    def signal(self, sig: int) -> object:
        """Send a signal to every member."""

    def kill_now(self, timeout: float) -> None:
        """Kill every member, without an event loop."""


_expected: set[str] = set()  # cookies of children that are being spawned, or were and have not ended
_families: dict[str, tuple[EndableFamily, threading.Thread]] = {}  # by cookie, with the thread of their event loop
_early: list[Callable[[], object]] = []
_late: list[Callable[[], object]] = []


def expect(cookie: str) -> None:
    """Note that a family with this cookie is about to be started."""
    _expected.add(cookie)


def register(family: EndableFamily) -> None:
    """Kill this family at interpreter exit, unless ``forget`` is called before."""
    _families[family.cookie] = (family, threading.current_thread())


def forget(cookie: str) -> None:
    """Take a family off the list: it has ended, or may keep running."""
    _families.pop(cookie, None)
    _expected.discard(cookie)


def is_settled() -> bool:
    """Tell whether no family of this process is alive or being started, as far as we know."""
    return not _families and not _expected


def before_executors_stop(callback: Callable[[], object]) -> None:
    """Call this at interpreter exit while executors still accept work; the last one registered is called first.

    The callbacks run before the remaining families are killed. One that raises does not stop the others.
    A forked child does not inherit them.
    """
    _early.append(callback)


def before_exit(callback: Callable[[], object]) -> None:
    """Like ``before_executors_stop``, but as late as an ordinary ``atexit`` hook, after the last family was killed."""
    _late.append(callback)


def _run(callbacks: list[Callable[[], object]]) -> None:
    while callbacks:
        _attempt(callbacks.pop())


def _attempt(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        _log.exception("%r failed at interpreter exit", callback)


def _kill(families: list[EndableFamily]) -> None:
    """Signal them all first, so that one that resists does not keep the others alive."""
    deadline = time.monotonic() + PATIENCE
    for family in families:
        _attempt(partial(family.signal, signal.SIGKILL))
    for family in families:
        _attempt(partial(family.kill_now, max(0.1, min(2.0, deadline - time.monotonic()))))
        forget(family.cookie)


def _is_waited_for(thread: threading.Thread) -> bool:
    """Tell whether Python lets this thread finish before it exits, and with it the thread's event loop."""
    return thread.is_alive() and not thread.daemon and thread is not threading.main_thread()


def _early_hook() -> None:
    if os.getpid() == _process:
        _run(_early)
        _kill([family for family, thread in list(_families.values()) if not _is_waited_for(thread)])


def _late_hook() -> None:
    if os.getpid() == _process:
        _run(_early)  # normally empty by now
        _kill([family for family, _ in list(_families.values())])
        _run(_late)


def _start_over_after_fork() -> None:
    """Disown the parent's families: they are not ours to kill."""
    global _process
    _process = os.getpid()
    _expected.clear()
    _families.clear()
    _early.clear()
    _late.clear()


_process = os.getpid()
in_child(Step.FAMILIES, _start_over_after_fork)
atexit.register(_late_hook)
# Private, but the only moment that precedes concurrent.futures' own, which uses it as well (CPython 3.9 to 3.14).
getattr(threading, "_register_atexit", lambda hook: None)(_early_hook)
