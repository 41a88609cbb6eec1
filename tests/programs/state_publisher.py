"""Writes a growing state as fast as it can, until it is killed."""

import asyncio
import sys
from pathlib import Path

from nova_async.journal import state_file
from nova_async.views import RunView, TaskView


async def main() -> None:
    """Publish, write, and again."""
    state_file.PAUSE_SECONDS = 0.0
    path = Path(sys.argv[1])
    number = 0

    def view(task_id: str) -> TaskView:
        return TaskView(id=task_id, name="x" * (number % 7 * 10_000), attempt=number)

    def run() -> RunView:
        return RunView(run_id=str(number), project="Shop", cascade_file="CASCADE.md", max_workers=max(number, 1))

    file = state_file.StateFile(path, tasks=["F1"], view=view, run=run, scratch=path.parent / ".nova")
    while True:
        number += 1
        file.touch(["F1"])
        await file.flush()
        if number == 1:
            print("ready", flush=True)


asyncio.run(main())
