"""A run that is served, and held up by its tasks until a test lets them go on."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from nova_async._core.threads import in_thread
from tests.control.runs import Answering, answering, ready
from tests.web.serving import Served, serving

__all__ = ["GATED", "say", "shown_run", "written_to"]

GATED = """ID | What | Deps | Gate
 A1 | read x < fifo | - |
 B1 | false | - |
 C1 | true | - | yes
 D1 | true | B1 |"""


@contextlib.asynccontextmanager
async def shown_run(rows: str, folder: Path, **options: object) -> AsyncIterator[tuple[Answering, Served]]:
    """Run a plan whose tasks read from a fifo, and serve it."""
    os.mkfifo(folder / "fifo")
    async with answering(rows, folder, **options) as run, serving(folder, state=folder / "state.json") as served:
        async with asyncio.timeout(20):
            while served.source._control is None:
                await asyncio.sleep(0.01)
        yield run, served


async def written_to(run: Answering, task_id: str) -> IO[str]:
    """Open the fifo for writing, once a task has begun that reads from it."""
    await ready(run, lambda: run.runner.views[task_id].pid is not None)
    return await in_thread((run.folder / "fifo").open, "w")


async def say(speaking: IO[str], text: str) -> None:
    """Write a line, in a thread: whoever reads may be slow."""

    def write() -> None:
        print(text, file=speaking, flush=True)

    await in_thread(write)
