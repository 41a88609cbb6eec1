"""What every test shares: the hunt for whatever it left behind."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from nova_async.process import orphan_guard

PROGRAMS = Path(__file__).parent / "programs"

# Threads of ours that outlive a worker on purpose: the guard's watcher, the facade's loop, idle disk threads.
LASTING_THREADS = ("nova-", "AnyIO", "anyio", "ThreadPoolExecutor")


def program(name: str, *arguments: str) -> list[str]:
    """Return the command line of one of the little programs in ``tests/programs``."""
    return [sys.executable, str(PROGRAMS / f"{name}.py"), *arguments]


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
def one_orphan_guard() -> Iterator[None]:
    """Start the guard before the first count, so that its descriptors are nobody's leak."""
    orphan_guard.ensure()
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
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    leaks += [
        f"descriptor {number}: {what}"
        for number, what in descriptors().items()
        if before[0].get(number) != what and not what.startswith("anon_inode:") and number not in before[0]
    ]
    assert not leaks, f"left behind: {leaks}"
