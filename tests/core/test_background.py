"""Tasks beside the main one are waited for, and none ends badly in silence."""

import asyncio

from nova_async._core.background import Background


async def test_a_failure_is_told() -> None:
    """Nobody awaits such a task, so whoever began it hears of its error."""
    told: list[Exception] = []

    async def fail() -> None:
        raise ValueError("no")

    background = Background(told.append)
    background.begin(fail())
    assert background
    await background.wait()
    await asyncio.sleep(0)
    assert list(map(str, told)) == ["no"]
    assert not background


async def test_a_cancellation_before_the_first_step_is_told() -> None:
    """What has taken no step cannot tell of it itself."""
    told: list[str] = []

    async def never() -> None:
        told.append("began")

    before = asyncio.all_tasks()
    background = Background(lambda error: told.append(str(error)))
    background.begin(never(), if_cut_off=lambda: told.append("cancelled"))
    for task in asyncio.all_tasks() - before:
        task.cancel()
    await background.wait()
    assert told == ["cancelled"]
