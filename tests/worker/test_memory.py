"""A limit of memory: for a whole family, looked at now and then by one sampler for all workers of a loop."""

import asyncio
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from nova_async import AsyncWorker, Limits, WorkerEnd, WorkerStatus
from nova_async._core.sizes import describe_size
from nova_async.process import blind, procfs, psutil_processes
from nova_async.process.table import TABLE
from nova_async.worker import memory_watch
from tests.children import program, ready

MIB = 1 << 20
needs_proc = pytest.mark.skipif(not procfs.usable(), reason="looks at /proc")


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than a second, so that no test takes longer than it must."""
    monkeypatch.setattr(memory_watch, "SELDOM", 0.05)
    monkeypatch.setattr(memory_watch, "SHARE", 0.5)


async def ended(tmp_path: Path, *words: str, agent: str | None = None, limit: int) -> AsyncWorker:
    """Run a hungry program under a limit of so many MiB to its end."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent=agent, limits=Limits(max_memory=limit * MIB))
    await worker.start(program("hungry", *words))
    await worker.wait(30)
    return worker


async def test_one_process_that_takes_too_much(tmp_path: Path) -> None:
    """A worker beyond its limit of memory is ended, and says what it used, what it may, and which setting says so."""
    worker = await ended(tmp_path, "200", limit=100)
    assert (worker.status, worker.end) == (WorkerStatus.FAILED, WorkerEnd.OUT_OF_MEMORY)
    assert re.fullmatch(r"out of memory: [\d.]+ MiB used, limit 100 MiB \(max_memory\)", worker.error or "")


async def test_a_limit_of_memory_may_be_any_number(tmp_path: Path) -> None:
    """A fraction of a gigabyte is often written as a float."""
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(max_memory=0.02e9))  # type: ignore[arg-type]
    await worker.start(program("hungry", "40"))
    await worker.wait(30)
    assert (worker.error or "").endswith("limit 19.07 MiB (max_memory)")


async def test_the_whole_family_counts(tmp_path: Path) -> None:
    """Children count too, wherever they went: each by itself would be small enough."""
    worker = await ended(tmp_path, "50", "3", limit=150)
    assert worker.end is WorkerEnd.OUT_OF_MEMORY


async def test_memory_does_not_fail_what_has_succeeded(tmp_path: Path) -> None:
    """A finished agent that takes too much is ended, and completed all the same."""
    worker = await ended(tmp_path, "200", "0", "finished", agent="claude", limit=100)
    assert (worker.status, worker.end, worker.error) == (WorkerStatus.COMPLETED, WorkerEnd.LINGERED, None)


async def test_one_sampler_looks_for_all(tmp_path: Path) -> None:
    """However many workers have a limit, one task looks; it ends with the last of them, and without one there is none.

    Processes that end while they are looked at do no harm.
    """

    def samplers() -> list["asyncio.Task[None]"]:
        return [task for task in asyncio.all_tasks() if task.get_name() == "nova memory"]

    free = AsyncWorker("F0", log_dir=tmp_path)
    await free.start(program("silent"))
    assert not samplers()
    workers = [AsyncWorker(f"F{n}", log_dir=tmp_path, limits=Limits(max_memory=1000 * MIB)) for n in range(1, 5)]
    script = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); sleep 0.005 & done; wait; echo ready; read _"
    ours, theirs = os.pipe()
    for worker in workers:
        await worker.start(["sh", "-c", script], stdin=ours)
    os.close(ours)
    for worker in workers:
        await ready(worker)
    assert len(samplers()) == 1
    os.close(theirs)
    for worker in workers:
        await worker.wait()
    assert not samplers()
    assert not memory_watch._samplers
    await free.terminate(grace=0)


async def test_nothing_is_ended_while_it_stands_still(tmp_path: Path) -> None:
    """A family that is stopped where it stands can let go of nothing, and is not ended; once it goes on it is."""
    worker = AsyncWorker("F1", log_dir=tmp_path, limits=Limits(max_memory=1000 * MIB))
    await worker.start(program("silent"))
    await ready(worker)
    (judge,) = memory_watch._samplers[asyncio.get_running_loop()].watched.values()
    await worker.suspend()
    judge(2000 * MIB)
    assert worker.is_alive()
    worker.resume()
    judge(1000 * MIB)
    assert worker.is_alive()
    judge(2000 * MIB)
    await worker.wait(30)
    assert worker.end is WorkerEnd.OUT_OF_MEMORY


def test_a_limit_that_cannot_be_kept_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be seen there is no limit of memory: it is refused, not forgotten."""
    monkeypatch.setattr(blind, "needed", lambda: True)
    with pytest.raises(ValueError, match="max_memory is not possible here: /proc"):
        AsyncWorker("F1", limits=Limits(max_memory=1))


@needs_proc
def test_it_is_the_number_that_psutil_tells() -> None:
    """What the kernel says of one process is what psutil says; of one that has ended, or another one, nothing."""
    child = subprocess.Popen(program("silent"), stdout=subprocess.PIPE)
    with child, ExitStack() as at_the_end:
        at_the_end.callback(child.kill)
        assert child.stdout is not None
        child.stdout.readline()
        entry = procfs.look(child.pid)
        assert entry is not None
        stat = Path(f"/proc/{child.pid}/stat")
        while stat.read_text().rpartition(") ")[2][0] != "S":
            pass
        used = procfs.resident(child.pid, entry.start_time)
        assert used == psutil.Process(child.pid).memory_info().rss
        seconds = psutil.Process(child.pid).create_time()
        assert psutil_processes.resident(child.pid, seconds) == used
        assert procfs.resident(child.pid, entry.start_time - 1) is None
        assert psutil_processes.resident(child.pid, seconds - 1) is None
    assert procfs.resident(child.pid, entry.start_time) is None
    assert psutil_processes.resident(child.pid, seconds) is None
    assert blind.resident(os.getpid(), 0.0) is None
    assert TABLE.resident(2**22 + 1, 0) is None


@pytest.mark.parametrize(
    ("size", "up", "text"),
    [
        (0, False, "0 B"),
        (1023, False, "1023 B"),
        (1024, False, "1 KiB"),
        (1 << 30, False, "1 GiB"),
        ((1 << 30) + 1, True, "1.01 GiB"),
        ((1 << 30) + 1, False, "1 GiB"),
        (500_000_000, False, "476.84 MiB"),
        (3 << 50, False, "3072 TiB"),
        (sys.maxsize, False, "8.38861e+06 TiB"),
    ],
)
def test_sizes_as_text(size: int, up: bool, text: str) -> None:
    """What is used is rounded up, so that it is never shown as equal to a limit that it exceeds."""
    assert describe_size(size, up=up) == text
