"""What must not be cut off is seen through, and what came of it is not lost in silence."""

import asyncio
import gc
from typing import Any

from nova_async._core.cancellation import finish


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
