"""Run several agents at once, at most three at a time, and show what each is doing.

One ``asyncio.TaskGroup`` for all of them and one semaphore for the bound. If anything goes wrong, or Ctrl-C comes, the
group is cancelled, each ``async with`` ends its worker, and nobody of any family is left. Runs anywhere:

    uv run python docs/examples/async_fleet.py
"""

import asyncio
import sys
from pathlib import Path

from nova_async import AsyncWorker, TokenUsage, WorkerStatus

AGENT = [sys.executable, str(Path(__file__).with_name("recorded_agent.py"))]
AT_ONCE = 3
TASKS = {
    "F1": "Implement the core types",
    "F2": "Write the parser",
    "F3": "Write the command line",
    "F4": "Test everything",
    "F5": "Document everything",
}


async def run(task_id: str, description: str, turns: asyncio.Semaphore) -> AsyncWorker:
    """Run one agent to its end when it is its turn, and return its worker."""
    async with turns, AsyncWorker(task_id, description, agent="claude") as worker:
        await worker.start(AGENT)
        shown = None
        async for _ in worker.lines():  # woken by output; nothing polls
            if worker.report.activity and worker.report.activity != shown:
                shown = worker.report.activity
                print(f"{task_id}: {shown}")
        await worker.wait()
    return worker


async def main() -> int:
    """Run the fleet and print the sum of what it used."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(run(task_id, text, turns)) for task_id, text in TASKS.items()]
    workers = [task.result() for task in running]

    for worker in workers:
        print(f"{worker.task_id} {worker.status}: {worker.report.usage.total:,} tokens, ${worker.report.cost_usd:.4f}")
    total = sum((worker.report.usage for worker in workers), TokenUsage())
    cost = sum(worker.report.cost_usd or 0.0 for worker in workers)
    print(f"fleet: {total.input_tokens:,} input, {total.output_tokens:,} output, ${cost:.4f}")
    return 0 if all(worker.status is WorkerStatus.COMPLETED for worker in workers) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
