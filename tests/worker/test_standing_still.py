"""A supervisor that stood still judges nothing by a clock that went on: Ctrl-Z, a frozen container, a laptop asleep."""

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest

from nova_async import AsyncWorker, Limits, WorkerEnd
from nova_async._core.awake import awake_timeout
from tests.children import program, ready


def stand_still(seconds: float, pids: Iterable[int | None] = ()) -> None:
    """Hold up this event loop, as if the process had been stopped; and stop those with it, as a freezer does."""
    frozen = [pid for pid in pids if pid is not None]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)


async def test_what_finished_meanwhile_has_not_timed_out(tmp_path: Path) -> None:
    """The exit waits to be noticed when the limit is reached: it comes first."""
    for limits in (Limits(timeout=0.2), Limits(idle_timeout=0.2), Limits(timeout=0.2, idle_timeout=0.2)):
        worker = AsyncWorker("F1", log_dir=tmp_path, limits=limits)
        await worker.start(["sh", "-c", "read go"], stdin=b"go\n")
        stand_still(0.5)
        assert await worker.wait() == 0
        assert (worker.end, worker.error) == (WorkerEnd.EXITED, None)


async def test_what_ended_before_it_was_asked_to(tmp_path: Path) -> None:
    """A terminate that comes after the exit, of which the loop does not know yet, changes nothing."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "exit 0"])
    stand_still(0.2)
    await worker.terminate()
    assert worker.end is WorkerEnd.EXITED


@pytest.mark.parametrize("seconds", [0.7, 2.0])
async def test_a_frozen_child_has_not_stalled(tmp_path: Path, seconds: float) -> None:
    """A busy agent that was frozen with us is silent for longer than it may be, or nearly so: it was not its time."""
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(idle_timeout=0.8))
    await worker.start(program("naps", "20", "3"))
    await ready(worker)
    while "busy" not in worker.log_path.read_text():
        await asyncio.sleep(0)
    stand_still(seconds, [worker.pid])
    await worker.wait()
    assert (worker.end, worker.error) == (WorkerEnd.EXITED, None)


async def test_a_silent_child_stalls_all_the_same(tmp_path: Path) -> None:
    """Having stood still only gives it its time again."""
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(idle_timeout=0.4))
    await worker.start(program("silent"))
    stand_still(1.0)
    began = time.monotonic()
    await worker.wait(20)
    assert worker.end is WorkerEnd.STALLED
    assert time.monotonic() - began >= 0.3  # seconds; all but one part of its time


async def test_a_frozen_agent_does_not_linger(tmp_path: Path) -> None:
    """After its result it gets its time to leave, even if it was frozen in the middle of it."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(linger=0.8))
    result = '{"type":"result","subtype":"success","is_error":false,"session_id":"s","num_turns":1,"result":"ok"}'
    await worker.start(["sh", "-c", f"echo '{result}'; echo ready; sleep 0.4"])
    await ready(worker)
    stand_still(2.0, [worker.pid])
    await worker.wait()
    assert worker.end is WorkerEnd.EXITED


async def test_a_frozen_child_gets_its_grace(tmp_path: Path) -> None:
    """Thawed after longer than its grace, it may still tidy up."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("naps", "15", "1000"))
    await ready(worker)
    ending = asyncio.create_task(worker.terminate(grace=1.2))
    while "asked" not in worker.log_path.read_text():
        await asyncio.sleep(0)
    stand_still(1.5, [worker.pid])
    await ending
    assert worker.get_exit_code() == 3


async def test_a_late_talker_that_was_frozen_is_heard(tmp_path: Path) -> None:
    """Its pauses are shorter than half a second; ours do not count."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "(for i in 1 2 3; do sleep 0.2; echo word $i; done) & echo ready $!"])
    talker = int((await ready(worker)).split()[1])
    while worker.is_alive():
        await asyncio.sleep(0)
    stand_still(1.0, [talker])
    await worker.wait()
    assert "word 3" in worker.log_path.read_text()


async def test_the_timeout_that_counts_only_time_awake() -> None:
    """As long as any other while we run; a standstill takes away a quarter at most; none at all is none at all."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with awake_timeout(0.2):
            await anyio.sleep_forever()
    assert 0.2 <= time.monotonic() - began < 2
    asyncio.get_running_loop().call_soon(stand_still, 1.0)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with awake_timeout(0.4):
            await anyio.sleep_forever()
    assert time.monotonic() - began >= 1.3
    for nothing in (0, -1):
        with pytest.raises(TimeoutError):
            async with awake_timeout(nothing):
                await anyio.sleep_forever()
    async with awake_timeout(None), awake_timeout(float("inf")):
        pass
    with pytest.raises(KeyError):
        async with awake_timeout(60):
            raise KeyError
