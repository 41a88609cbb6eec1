"""A worker outside of the event loop that it was started in: a clear refusal, never a hang, and nobody left."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest

from nova_async import AsyncWorker, WorkerEnd, WorkerStateError, WorkerStatus
from tests.children import program, ready

OTHER_LOOP = "belongs to another event loop"


def in_another_loop(do: Callable[[], Coroutine[Any, Any, object]]) -> BaseException | None:
    """Run a coroutine function in a loop of another thread, and return what it raised."""
    with ThreadPoolExecutor() as threads:
        return threads.submit(lambda: asyncio.run(do())).exception(20)


async def test_another_thread(tmp_path: Path) -> None:
    """Each of its methods refuses at once, whatever timeouts are around it, and the worker goes on."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("silent"))

    async def resume() -> None:
        worker.resume()

    async def read() -> None:
        await anext(worker.lines())

    async def read_bytes() -> None:
        await anext(worker.output())

    uses = [lambda: worker.wait(60), worker.wait, worker.terminate, worker.suspend, resume, read, read_bytes]
    for use in uses:
        error = in_another_loop(use)
        assert isinstance(error, WorkerStateError)
        assert OTHER_LOOP in str(error)
    with ThreadPoolExecutor() as threads, pytest.raises(WorkerStateError, match=OTHER_LOOP):
        threads.submit(worker.resume).result()  # in a thread without any loop
    assert worker.is_alive()
    await worker.terminate()


async def test_after_its_end_any_loop_will_do(tmp_path: Path) -> None:
    """A final status is final everywhere, and the output stays readable."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["echo", "hello"])
    await worker.wait()

    async def use() -> None:
        assert await worker.wait() == 0
        await worker.terminate()
        assert [line async for line in worker.lines()] == ["hello"]

    assert in_another_loop(use) is None


async def test_before_its_start_any_loop_will_do(tmp_path: Path) -> None:
    """A worker may be made anywhere, and one that could not start is in nobody's loop."""
    worker, missing = AsyncWorker("F1", log_dir=tmp_path), AsyncWorker("F2", log_dir=tmp_path)
    await worker.terminate()
    with pytest.raises(FileNotFoundError):
        await missing.start(["no-such-program"])

    async def use() -> None:
        await missing.terminate()
        await worker.start(["true"])
        await worker.wait()

    assert in_another_loop(use) is None


@pytest.mark.parametrize("what", ["use", "drop"])
def test_its_loop_has_been_closed(tmp_path: Path, what: str) -> None:
    """Used in another loop or dropped: its processes really are killed, and it says so."""
    command = program("loses_its_loop", tmp_path, what)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    *said, alive = done.stdout.splitlines()
    assert alive == "alive:", done.stderr
    if what == "drop":
        assert "dropped while running: killing it" in said[0]
    else:
        assert "was still running when its event loop was closed" in said[0]
        why = "killed: its event loop was closed while it was running"
        assert said[-1] == f"failed terminated False -9 {why}"
        assert said[1] == said[2] == "done"  # it has ended by then: that is final in any loop
    assert "Traceback" not in done.stderr


def test_its_loop_has_been_closed_and_its_callback_fails(tmp_path: Path) -> None:
    """That is told to the program's log, and the worker's end is final all the same."""
    command = program("loses_its_loop", tmp_path, "complain")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    refusal, end, alive = done.stdout.splitlines()
    assert "was still running when its event loop was closed" in refusal
    assert end.startswith("failed terminated False -9 killed")
    assert alive == "alive:"
    assert "on_change callback of worker W failed" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(("what", "said"), [("drop-locked", "told"), ("drop-in-ration", "0")])
def test_a_worker_is_collected_at_any_moment(what: str, said: str, tmp_path: Path) -> None:
    """Also in one in which this very thread holds a lock that its end needs: no hang, and its processes are killed."""
    command = program("loses_its_loop", tmp_path, what)
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.splitlines() == [said, "alive:"], done.stderr


class Cancelled:
    """Ways in which the body of an ``async with`` is cancelled while its worker runs, and whether again at its exit."""

    @staticmethod
    async def by_timeout(worker: AsyncWorker) -> None:
        """Native, once."""
        async with asyncio.timeout(0.01), worker:
            await worker.wait()

    @staticmethod
    async def by_move_on_after(worker: AsyncWorker) -> None:
        """By a scope of anyio, which repeats it at every await."""
        with anyio.move_on_after(0.01):
            async with worker:
                await worker.wait()
        raise TimeoutError

    @staticmethod
    async def by_fail_after(worker: AsyncWorker) -> None:
        """By a scope around another, and with an exception of the body's own."""
        with anyio.fail_after(0.01), anyio.CancelScope():
            async with worker:
                try:
                    await worker.wait()
                finally:
                    raise TimeoutError

    @staticmethod
    async def by_a_task_group(worker: AsyncWorker) -> None:
        """By the failure of another task of an anyio group."""

        async def supervise() -> None:
            async with worker:
                await worker.wait()

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(supervise)
                await anyio.sleep(0.01)
                raise OSError
        except ExceptionGroup as error:
            raise TimeoutError from error


@pytest.mark.parametrize("how", ["by_timeout", "by_move_on_after", "by_fail_after", "by_a_task_group"])
async def test_leaving_a_cancelled_scope_is_graceful(tmp_path: Path, how: str) -> None:
    """The cancellation that ends the block asks the worker to end: an agent still prints its totals."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start(program("interruptible"))
    await ready(worker)
    with pytest.raises(TimeoutError):
        await getattr(Cancelled, how)(worker)
    assert (worker.end, worker.get_exit_code()) == (WorkerEnd.TERMINATED, 0)
    assert worker.report.usage.input_tokens == 101
    assert worker.report.usage_is_final


async def test_a_second_cancellation_kills(tmp_path: Path) -> None:
    """Whoever leaves a block and is cancelled again does not wait for a worker that resists."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("stubborn"))
    await ready(worker)

    async def supervise() -> None:
        with anyio.CancelScope() as scope:
            async with worker:
                scope.cancel()
                await worker.wait()

    began = time.monotonic()
    task = asyncio.create_task(supervise())
    while worker.status is WorkerStatus.RUNNING and worker._life is not None and worker._life._stop is None:
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):  # older anyio takes it for the scope's own
        await task
    assert time.monotonic() - began < 4  # seconds; its grace is five
    assert worker.get_exit_code() == -9


async def test_a_terminate_that_anyio_cancels_is_hurried(tmp_path: Path) -> None:
    """A scope that is left while the worker is being ended makes it faster, as a native cancellation does."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("stubborn"))
    await ready(worker)
    with anyio.move_on_after(0.05):
        await worker.terminate(grace=600)
    assert worker.get_exit_code() == -9


@pytest.mark.skipif(find_spec("uvloop") is None, reason="needs uvloop")
def test_uvloop(tmp_path: Path) -> None:
    """Under uvloop, which watches its children by SIGCHLD, a worker is the same."""
    command = program("on_uvloop", tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "3 exited 1 ['out']\n-9 terminated\n", done.stderr
