"""Cancelling at any await leaves no process, no task and no descriptor; the leak guard looks."""

import asyncio
from pathlib import Path

import pytest

from nova_async import AsyncWorker, WorkerEnd, WorkerStatus
from tests.children import is_alive, program, ready

STEPS = range(0, 24)


async def cancelled_after(steps: int, coroutine: object) -> bool:
    """Run a coroutine, cancel it after so many turns of the loop, and tell whether it was cancelled."""
    task = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


@pytest.mark.parametrize("steps", STEPS)
async def test_cancelling_a_start(steps: int, tmp_path: Path) -> None:
    """A start that is cancelled leaves nothing, however far it had come (G18)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    if await cancelled_after(steps, worker.start(program("silent"))):
        if steps:
            assert worker.status is WorkerStatus.FAILED
            assert worker.end in (WorkerEnd.NOT_STARTED, WorkerEnd.TERMINATED)
        else:  # cancelled before it ran at all
            assert worker.status is WorkerStatus.PENDING
        assert worker.pid is None or not is_alive(worker.pid)
    else:
        await worker.terminate(grace=0)


@pytest.mark.parametrize("steps", [*range(8), 50, 200])
async def test_cancelling_a_terminate(steps: int, tmp_path: Path) -> None:
    """Cancelling terminate() only makes it faster, and is delivered when nobody is left (G16)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    await ready(worker)
    async with asyncio.timeout(20):
        assert await cancelled_after(steps, worker.terminate(grace=600))
    assert worker.pid is not None
    if steps:
        assert not is_alive(worker.pid)
        assert worker.end is WorkerEnd.TERMINATED
    else:  # cancelled before it ran at all
        assert is_alive(worker.pid)
        await worker.terminate(grace=0)


async def test_cancelling_a_terminate_again_and_again(tmp_path: Path) -> None:
    """However often terminate() is cancelled, it delivers one cancellation, at its end."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    await ready(worker)
    ending = asyncio.create_task(worker.terminate(grace=600))
    while not ending.done():
        await asyncio.sleep(0)
        ending.cancel()
    assert ending.cancelled()
    assert worker.end is WorkerEnd.TERMINATED


@pytest.mark.parametrize("steps", range(6))
async def test_cancelling_a_wait(steps: int, tmp_path: Path) -> None:
    """Cancelling wait() harms nothing."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("silent"))
    await cancelled_after(steps, worker.wait())
    assert worker.is_alive()
    await worker.terminate()


async def test_cancelling_the_block(tmp_path: Path) -> None:
    """A task that is cancelled inside ``async with`` ends its worker before it ends."""
    worker = AsyncWorker("F1", log_dir=tmp_path)

    async def work() -> None:
        async with worker:
            await worker.start(program("silent"))
            await worker.wait()

    task = asyncio.create_task(work())
    while not worker.is_alive():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert worker.end is WorkerEnd.TERMINATED


async def test_a_timeout_around_everything(tmp_path: Path) -> None:
    """A native timeout over a stubborn child's end skips nothing (G16)."""
    worker = AsyncWorker("F1", log_dir=tmp_path)

    async def work() -> None:
        async with asyncio.timeout(0.5):
            try:
                await worker.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
                await worker.wait()
            finally:
                await worker.terminate(grace=0.5)

    with pytest.raises(TimeoutError):
        await work()
    assert worker.end is WorkerEnd.TERMINATED


def test_the_end_of_asyncio_run(tmp_path: Path) -> None:
    """asyncio.run cancels every task there is: the family is gone and the log closed when it returns."""
    workers: list[AsyncWorker] = []

    async def main() -> None:
        for number in range(3):
            worker = AsyncWorker(f"F{number}", log_dir=tmp_path)
            workers.append(worker)
            await worker.start(["sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 1; done"])
            await ready(worker)

    asyncio.run(main())
    for worker in workers:
        assert worker.end is WorkerEnd.TERMINATED
        assert worker.log_path.read_text() == "ready\n"
        assert worker.pid is not None
        assert not is_alive(worker.pid)


def test_the_end_of_asyncio_run_in_a_flood(tmp_path: Path) -> None:
    """Also a worker that is just writing its log loses no byte of it."""
    worker = AsyncWorker("F1", log_dir=tmp_path)

    async def main() -> None:
        await worker.start(["sh", "-c", "echo ready; exec yes"])
        await ready(worker)

    asyncio.run(main())
    log = worker.log_path.read_bytes()
    assert worker.get_status_dict()["log_error"] is None
    assert set(log[6:].split(b"\n")) <= {b"y", b""}
    assert log.count(b"y\n") * 2 + 6 >= len(log) - 1


async def test_cancelling_a_terminate_that_waits_for_the_start(tmp_path: Path) -> None:
    """Also while the worker still starts, cancelling terminate() makes it faster, and skips nothing."""
    for steps in range(1, 12):
        worker = AsyncWorker(f"F{steps}", log_dir=tmp_path)
        starting = asyncio.create_task(worker.start(program("silent")))
        await asyncio.sleep(0)
        assert await cancelled_after(steps, worker.terminate(grace=600))
        await starting
        assert not worker.is_alive()
        assert worker.end is WorkerEnd.TERMINATED


def test_the_end_of_asyncio_run_at_any_step_of_a_start(tmp_path: Path) -> None:
    """Whatever had just begun when every task is cancelled is brought to its end, or never was."""
    for steps in range(24):
        worker = AsyncWorker(f"F{steps}", log_dir=tmp_path)

        async def main(worker: AsyncWorker = worker, steps: int = steps) -> None:
            starting = asyncio.create_task(worker.start(program("silent")))
            for _ in range(steps):
                await asyncio.sleep(0)
            assert not starting.cancelled()

        asyncio.run(main())
        assert worker.end in (WorkerEnd.NOT_STARTED, WorkerEnd.TERMINATED)
        assert worker.pid is None or not is_alive(worker.pid)
