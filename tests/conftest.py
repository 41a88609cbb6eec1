"""What every test shares: the hunt for whatever it left behind."""

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from nova_async.process import orphan_guard
from nova_async.worker import sync_worker

LASTING_THREADS = ("nova-",)  # ours that outlive a worker on purpose: the guard's watcher, idle disk threads


def descriptors() -> dict[int, str]:
    """Return this process's open descriptors and what each one is."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:  # the descriptor of this very listing
            continue
    return found


def children() -> set[int]:
    """Return the pids of this process's children, of all its threads."""
    pids: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            pids.update(map(int, (task / "children").read_text().split()))
        except OSError:  # the thread ended meanwhile
            continue
    return pids


def threads() -> set[threading.Thread]:
    """Return the threads that no room of ours keeps on purpose."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith(LASTING_THREADS)}


@pytest.fixture(scope="session", autouse=True)
def what_lasts() -> Iterator[None]:
    """Start the guard and the facade's loop before the first count, so that they are nobody's leak."""
    orphan_guard.ensure()
    sync_worker.LOOP.call(asyncio.sleep, 0)
    gc.collect()
    gc.freeze()  # what is there by now stays: the collection after each test need not look at it again
    yield
    orphan_guard.stop()


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """Fail the test that leaves a task, a thread, a descriptor or a child; end what it left."""
    if not Path("/proc/self/fd").is_dir():  # macOS: what the tests themselves assert must do
        yield
        return
    before = descriptors(), threads(), children()
    yield
    gc.collect()
    await asyncio.sleep(0)
    leaks = [f"task {task!r}" for task in asyncio.all_tasks() - {asyncio.current_task()}]
    leaks += [f"thread {thread.name}" for thread in threads() - before[1]]
    guard = orphan_guard.guard_pid()
    for pid in children() - before[2] - {guard}:
        leaks.append(f"child {pid}: {Path(f'/proc/{pid}/cmdline').read_bytes()!r}")
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)  # noqa: ASYNC222 - it has just been killed
    leaks += [
        f"descriptor {number}: {what}"
        for number, what in descriptors().items()
        if before[0].get(number) != what and not what.startswith("anon_inode:") and number not in before[0]
    ]
    assert not leaks, f"left behind: {leaks}"
