"""A worker that is stopped where it stands, as by Ctrl-Z, and goes on as if no time had passed."""

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits, Worker, WorkerEnd
from nova_async.worker.timers import Timers
from tests.children import is_alive, program, ready, ready_now

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")


async def become(pid: int, wanted: str, *others: str) -> None:
    """Wait until a process is in a state: T is stopped, S sleeps."""
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in (wanted, *others):
        await asyncio.sleep(0.01)


@needs_proc
async def test_the_whole_family_stands_still(tmp_path: Path) -> None:
    """Also who left the session is stopped, and everybody goes on."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        await worker.start(program("escapee", "session", "stay"))
        pids = [worker.pid or 0, int((await ready(worker)).split()[1])]
        await worker.suspend()
        await worker.suspend()
        for pid in pids:
            await become(pid, "T")
        worker.resume()
        for pid in pids:
            await become(pid, "S", "R")
        await worker.suspend()  # one that is ended while it is stopped is ended all the same
        await worker.terminate(grace=0.5)
    assert not any(map(is_alive, pids))


@needs_proc
@pytest.mark.parametrize("is_started", [True, False])
async def test_going_on_while_it_is_being_stopped(is_started: bool, tmp_path: Path) -> None:
    """What came last counts: nobody is stopped by a look that was under way."""
    async with AsyncWorker("F1", log_dir=tmp_path) as worker:
        starting = asyncio.create_task(worker.start(["sh", "-c", "echo ready; exec sleep 60"]))
        if is_started:
            await starting
            await ready(worker)
        else:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(worker.suspend())
        await asyncio.sleep(0)
        worker.resume()
        await stopping
        await starting
        await become(worker.pid or 0, "S", "R")
        await worker.suspend()
        await become(worker.pid or 0, "T")


@needs_proc
async def test_an_end_while_it_is_being_stopped(tmp_path: Path) -> None:
    """Nobody is stopped any more once the end has begun: the first signal is heard at once."""
    script = "trap 'echo heard; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", script])
    await ready(worker)
    stopping = asyncio.create_task(worker.suspend())
    await asyncio.sleep(0)
    supervision = worker._life
    assert supervision is not None
    await worker.terminate(grace=20)
    await stopping
    assert "heard" in worker.log_path.read_text()
    assert supervision._suspended_at is None
    assert not supervision._family._stands_still


@needs_proc
def test_the_blocking_face(tmp_path: Path) -> None:
    """It does the same, from any thread."""
    with Worker("F1", log_dir=tmp_path) as worker:
        worker.start(["sh", "-c", "echo ready; exec sleep 60"])
        ready_now(worker)
        worker.suspend()
        asyncio.run(become(worker.pid or 0, "T"))
        worker.resume()
        asyncio.run(become(worker.pid or 0, "S", "R"))


async def test_nothing_to_suspend(tmp_path: Path) -> None:
    """Before the start and after the end it does nothing."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.suspend()
    worker.resume()
    await worker.start(["true"])
    await worker.wait()
    await worker.suspend()
    worker.resume()
    assert worker.end is WorkerEnd.EXITED


@pytest.mark.parametrize("limits", [Limits(timeout=2.0), Limits(idle_timeout=2.0)])
async def test_limits_stand_still(tmp_path: Path, limits: Limits) -> None:
    """Neither the time nor the silence of a stopped worker counts."""
    waits = "echo ready; until [ -e go ]; do sleep 0.02; done"
    async with AsyncWorker("F1", log_dir=tmp_path, limits=limits) as worker:
        await worker.start(["sh", "-c", waits], cwd=tmp_path)
        await ready(worker)
        await worker.suspend()
        await asyncio.sleep(2.2)  # longer than the limit
        (tmp_path / "go").touch()
        worker.resume()
        await worker.wait()
    assert worker.end is WorkerEnd.EXITED


async def test_a_silence_goes_on_where_it_stood(tmp_path: Path) -> None:
    """After a word between two looks, too: the stopped time is not part of the silence that the next look measures."""
    waits = "sleep 0.7; echo ready; until [ -e go ]; do sleep 0.02; done"
    async with AsyncWorker("F1", log_dir=tmp_path, limits=Limits(idle_timeout=1.2)) as worker:
        await worker.start(["sh", "-c", waits], cwd=tmp_path)
        await ready(worker)
        await worker.suspend()
        await asyncio.sleep(0.9)
        worker.resume()  # 0.5 s before that look, at which it will have been silent for 0.5 s, not for 1.4
        await asyncio.sleep(0.65)
        (tmp_path / "go").touch()
        await worker.wait()
    assert worker.end is WorkerEnd.EXITED


async def test_timers_that_stand_still() -> None:
    """They call nothing meanwhile, have as much time left as before, and those that were done stay done."""
    timers, called = Timers(), asyncio.Event()
    done = asyncio.Event()
    timers.arm("done", 0.0, done.set)
    await done.wait()
    timers.arm("later", 0.2, called.set)
    timers.stand_still()
    await asyncio.sleep(0.4)
    assert not called.is_set()
    done.clear()
    timers.go_on()
    began = asyncio.get_running_loop().time()
    await called.wait()
    assert asyncio.get_running_loop().time() - began > 0.1
    assert not done.is_set()
    assert "later" in timers
    timers.forget("later")
    assert "later" not in timers


async def test_a_timer_that_is_armed_while_time_stands_still() -> None:
    """What is left in a pipe may arm one; it calls its action once, at its own time."""
    timers, end = Timers(), asyncio.Event()
    calls: list[float] = []
    now = asyncio.get_running_loop().time
    began = now()
    timers.stand_still()
    timers.arm("line", 0.1, lambda: calls.append(now()))
    timers.go_on()
    timers.arm("end", 0.2, end.set)
    await end.wait()
    [called] = calls
    assert called - began > 0.05


async def test_timers_that_are_closed() -> None:
    """They call nothing any more, however late that is found out, and may be closed again."""
    timers, called, later = Timers(), asyncio.Event(), asyncio.Event()
    timers.arm("now", 0.0, called.set)
    timers.close()
    timers.close()
    asyncio.get_running_loop().call_later(0.01, later.set)
    await later.wait()
    assert not called.is_set()


@needs_proc
def test_a_supervisor_that_stood_still(tmp_path: Path) -> None:
    """One that was stopped alone reads what its child has said meanwhile, before it calls it silent."""
    command = program("supervises_a_talker", tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "ready\n"
        asyncio.run(become(supervisor.pid, "S"))  # it waits for its child: a wait that is cut short tells of no output
        os.kill(supervisor.pid, signal.SIGSTOP)
        time.sleep(1.0)  # twice as long as the child may be silent
        os.kill(supervisor.pid, signal.SIGCONT)
        asyncio.run(become(supervisor.pid, "S"))
        (tmp_path / "go").touch()
        assert supervisor.stdout.read() == "exited\n"
