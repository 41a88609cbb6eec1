"""Relatives that only their parent link gives away are ended in every way in which a worker ends (G56)."""

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits
from tests.children import is_alive, program, ready
from tests.process.watching import asleep


async def terminate(worker: AsyncWorker) -> None:
    """End it gently."""
    await worker.terminate()


async def terminate_at_once(worker: AsyncWorker) -> None:
    """End it without a grace."""
    await worker.terminate(grace=0)


async def change_its_mind(worker: AsyncWorker) -> None:
    """Begin to end it gently, and then lose patience."""
    gently = asyncio.create_task(worker.terminate(grace=600))
    await asyncio.sleep(0)
    await worker.terminate(grace=0)
    await gently


async def cancel_the_end(worker: AsyncWorker) -> None:
    """Cancel a gentle end."""
    ending = asyncio.create_task(worker.terminate(grace=600))
    await asyncio.sleep(0)
    ending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ending


async def cancel_its_scope(worker: AsyncWorker) -> None:
    """Cancel the block in which it lives, twice."""

    async def scope() -> None:
        async with worker:
            await worker.wait()

    living = asyncio.create_task(scope())
    await asyncio.sleep(0)
    living.cancel()
    await asyncio.sleep(0)
    living.cancel()
    await asyncio.wait([living])


async def cancel_its_supervision(worker: AsyncWorker) -> None:
    """Cancel what `asyncio.run` cancels at its end: every task of the worker."""
    supervision = worker._life
    assert supervision is not None
    supervision.task.cancel()
    await supervision.ended.wait()


WAYS = [terminate, terminate_at_once, change_its_mind, cancel_the_end, cancel_its_scope, cancel_its_supervision]


@pytest.mark.parametrize("whose", [[], ["helper"]], ids=["child", "grandchild"])
@pytest.mark.parametrize("end", WAYS)
async def test_every_way_to_end(
    end: Callable[[AsyncWorker], Awaitable[None]], whose: list[str], tmp_path: Path
) -> None:
    """The family is looked at before its first signal, so who loses the parent by that signal is known."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("strips_a_child", *whose))
    relative = int((await ready(worker)).split()[1])
    await end(worker)
    assert not is_alive(relative)


@pytest.mark.parametrize("whose", [[], ["helper"]], ids=["child", "grandchild"])
async def test_an_agent_that_is_interrupted_first(whose: list[str], tmp_path: Path) -> None:
    """The interrupt of an agent is a first signal, too: it reaches the leader's group, and not the relative."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude")
    await worker.start(program("strips_a_child", *whose))
    relative = int((await ready(worker)).split()[1])
    begin = asyncio.get_running_loop().time()
    ending = asyncio.create_task(worker.terminate(grace=600))
    while worker.is_alive():
        await asyncio.sleep(0.01)
    await worker.terminate(grace=0)  # its leader is gone: only what was seen before it went can tell
    await ending
    assert not is_alive(relative)
    assert asyncio.get_running_loop().time() - begin < 5


async def test_a_parent_that_has_left_its_own_parents(tmp_path: Path) -> None:
    """A kill stops everyone before the first of them dies: so nobody loses the parent before a look has seen both."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("strips_a_child", "stranded"))
    relative = int((await ready(worker)).split()[1])
    await worker.terminate(grace=0)
    assert not is_alive(relative)


async def test_a_limit_of_an_agent(tmp_path: Path) -> None:
    """A limit looks first, too."""
    limits = Limits(max_tokens=5)
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=limits)
    told = "Token usage: input=9, output=9, cache_read=0, cache_creation=0"
    script = (
        f"{sys.executable} {program('strips_a_child', 'helper')[1]} helper & read -r word < talk; echo '{told}'; wait"
    )
    os.mkfifo(tmp_path / "talk")
    await worker.start(["sh", "-c", script], cwd=tmp_path)
    relative = int((await ready(worker)).split()[1])
    (tmp_path / "talk").write_text("go\n")
    await worker.wait(20)
    assert worker.error is not None
    assert "token budget" in worker.error
    assert not is_alive(relative)


async def test_a_dropped_worker(tmp_path: Path) -> None:
    """Whoever forgets a worker leaves nobody either."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("strips_a_child"))
    relative = int((await ready(worker)).split()[1])
    supervision = worker._life
    assert supervision is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del worker
        gc.collect()
    await supervision.ended.wait()
    assert not is_alive(relative)


async def test_a_cancelled_start(tmp_path: Path) -> None:
    """A start that is cancelled when the command runs already ends all that this has started."""
    for steps in range(1, 200, 7):  # somewhere between the first step and the last
        worker = AsyncWorker("F1", log_dir=tmp_path)
        starting = asyncio.create_task(worker.start(program("strips_a_child"), cwd=tmp_path))
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
            await worker.terminate(grace=0)
    text = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    told = [line for line in text.splitlines() if line.startswith("ready ")]  # not what a shell says as it is killed
    assert not any(is_alive(int(line.split()[1])) for line in told)


async def test_what_a_command_leaves_behind(tmp_path: Path) -> None:
    """Leftovers are seen with their own children before the first of them is asked to end."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("strips_a_child", "helper"), cwd=tmp_path)
    relative = int((await ready(worker)).split()[1])
    (tmp_path / "go").touch()
    await worker.wait(20)
    assert not is_alive(relative)


def test_the_end_of_the_interpreter(tmp_path: Path) -> None:
    """Nor does one survive that, in a loop that was never closed."""
    script = f"""
import asyncio
from nova_async import AsyncWorker
from tests.children import program, ready
async def main():
    worker = AsyncWorker("F1", log_dir={str(tmp_path)!r})
    await worker.start(program("strips_a_child", "helper"))
    print(await ready(worker), flush=True)
    return worker
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(main())
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "PYTHONPATH": "."})
    relative = int(done.stdout.split()[1])
    try:
        assert not is_alive(relative)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(relative, signal.SIGKILL)


async def test_who_was_there_when_something_was_printed(tmp_path: Path) -> None:
    """A parent that exits on its own, later, has been seen with its child when the agent last said something."""
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(program("escapee", "environment", "session", "stay"))
    relative = int((await ready(worker)).split()[1])
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await worker.wait()
    assert not is_alive(relative)
    assert [member.pid for member in worker.leftovers] == [relative]


async def test_who_is_born_while_the_family_is_looked_at(tmp_path: Path) -> None:
    """One that keeps on starting processes with nothing of its own is stopped before it is killed."""
    script = "echo ready; while :; do env -i setsid sleep 9.1415 & sleep 0.005; done"
    worker = AsyncWorker("F1", log_dir=tmp_path)
    await worker.start(["sh", "-c", script])
    await ready(worker)
    await worker.terminate(grace=0)
    assert not asleep("9.1415")
