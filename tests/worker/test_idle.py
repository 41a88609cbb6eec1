"""A worker whose agent says nothing costs nothing: neither we nor its guard are woken while it is quiet."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits
from nova_async.process import orphan_guard
from tests.children import program, ready

HOUR = 3600.0  # seconds
WORKERS = 5
GATHERING = 0.1  # seconds in which lines for the guard gather
WATCHED = 1.0  # seconds; a poll of ten a second would wake us fifty times in it


def wake_ups(pid: int | str) -> int:
    """Return how often the threads of a process have gone to sleep of their own accord."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        line = next(line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))
        found += int(line.split()[1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="wake-ups are counted in /proc")
async def test_nobody_wakes_for_a_quiet_worker(tmp_path: Path) -> None:
    """Five workers with every limit of time: neither our threads nor the guard's run while nothing happens."""
    limits = Limits(timeout=HOUR, idle_timeout=HOUR, linger=HOUR)
    workers = [AsyncWorker(f"F{number}", log_dir=tmp_path, limits=limits) for number in range(WORKERS)]
    for worker in workers:
        await worker.start(program("silent"))
        await ready(worker)
    guard = orphan_guard.guard_pid()
    assert guard is not None
    told = 0
    while told != (told := wake_ups(guard)):  # it may still read what it was told last
        await asyncio.sleep(3 * GATHERING)
    before, guards = wake_ups("self"), wake_ups(guard)
    await asyncio.sleep(WATCHED)
    assert wake_ups("self") - before < WORKERS * WATCHED * 5
    assert wake_ups(guard) == guards
    for worker in workers:
        await worker.terminate(grace=0)


@pytest.mark.skipif(sys.platform != "linux", reason="wake-ups are counted in /proc")
async def test_short_lives_do_not_wake_the_guard_each_time(tmp_path: Path) -> None:
    """It reads what it is told of many starts and ends at once, since its pipe keeps that until our death."""
    lives = 50
    begin, told = time.monotonic(), 0
    for number in range(lives):
        worker = AsyncWorker(f"F{number}", log_dir=tmp_path)
        await worker.start(["true"])
        await worker.wait()
        told = told or wake_ups(orphan_guard.guard_pid() or 0)  # from the first end on, when it has begun
    took = time.monotonic() - begin
    assert wake_ups(orphan_guard.guard_pid() or 0) - told < 10 + 2 * took / GATHERING  # it begins and ends to gather
