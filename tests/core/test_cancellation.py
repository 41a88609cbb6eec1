"""What must not be cut off is seen through, and what came of it is not lost in silence."""

import asyncio
import gc
from functools import partial
from typing import Any

import anyio

from nova_async._core.cancellation import finish, insist


async def test_an_error_behind_a_cancellation_is_not_reported_as_forgotten() -> None:
    """The caller gets his cancellation; the loop does not complain that nobody looked at the error."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    gate = asyncio.Event()

    async def fail() -> None:
        await gate.wait()
        raise ValueError("no")

    hurried: list[bool] = []
    caller = asyncio.create_task(finish(asyncio.create_task(fail()), on_cancel=lambda: hurried.append(True)))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    gate.set()
    await asyncio.wait([caller])
    assert caller.cancelled()
    del caller
    gc.collect()
    assert (hurried, complaints) == ([True], [])


async def test_a_scope_of_anyio_cancels_once() -> None:
    """It cancels again at every await; whoever sees something through is told once, and does not spin meanwhile."""
    told: list[str] = []
    with anyio.move_on_after(0.01) as scope:
        await finish(asyncio.create_task(asyncio.sleep(0.1)), on_cancel=lambda: told.append("finish"))
    assert scope.cancelled_caught
    with anyio.move_on_after(0.01):
        await insist(partial(asyncio.sleep, 0.1), on_cancel=lambda _: told.append("insist"))
    assert told == ["finish", "insist"]


async def test_a_native_cancellation_is_told_after_anyios() -> None:
    """The shield that keeps anyio from repeating itself hides nobody else's request."""
    told: list[str] = []

    async def wait() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await finish(asyncio.create_task(asyncio.sleep(0.1)), on_cancel=lambda: told.append("told"))

    waiting = asyncio.create_task(wait())
    for _ in range(5):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert told == ["told", "told"]
