"""Supervises a child that talks until a file named ``go`` is there, and gives it half a second of silence.

Prints "ready" once the child has said something, and at last how the worker ended. Its argument is the folder.
"""

import asyncio
import sys

from nova_async import AsyncWorker, Limits


async def main(folder: str) -> None:
    """Run the child to its end."""
    async with AsyncWorker("F1", log_dir=folder, limits=Limits(idle_timeout=0.5)) as worker:
        await worker.start(["sh", "-c", "until [ -e go ]; do echo hi; sleep 0.02; done"], cwd=folder)
        async for _ in worker.lines():
            break
        print("ready", flush=True)
        await worker.wait()
        print(worker.end)


asyncio.run(main(sys.argv[1]))
