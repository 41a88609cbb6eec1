"""The least that anything on asyncio pays for tasks: the children themselves and a log of each, with no record."""

import asyncio
from pathlib import Path

from tests.benchmarks.peers.peer import Peer


async def run(folder: Path, count: int, at_once: int) -> None:
    """Start so many, some at once, each with a log of its own."""
    places = asyncio.Semaphore(at_once)

    async def task(number: int) -> None:
        async with places:
            with (folder / f"t{number}.log").open("wb") as log:
                child = await asyncio.create_subprocess_exec("/bin/true", stdout=log, stderr=log)
            await child.wait()

    await asyncio.gather(*(task(number) for number in range(count)))


PEER = Peer("asyncio alone", tasks=lambda folder, count, at_once: asyncio.run(run(folder, count, at_once)))
