"""Runs workers on uvloop, and prints how they ended. Usage: FOLDER."""

import asyncio
import sys

import uvloop

from nova_async import AsyncWorker
from tests.children import program, ready


async def main() -> None:
    """One that ends by itself and leaves a child behind, and one that resists."""
    async with AsyncWorker("F1", log_dir=sys.argv[1]) as worker:
        await worker.start(["sh", "-c", "echo out; sleep 60 & exit 3"])
        print(await worker.wait(20), worker.end, len(worker.leftovers), [line async for line in worker.lines()])
    async with AsyncWorker("F2", log_dir=sys.argv[1]) as worker:
        await worker.start(program("stubborn"))
        await ready(worker)
        await worker.terminate(0.1)
        print(worker.get_exit_code(), worker.end)


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
