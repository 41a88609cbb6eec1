"""Run a plan inside your own asyncio program: follow its events, then use the report.

The tasks are shell commands, so that it runs anywhere. One fails in a way that a retry cures, one for good. Logs,
journal and state file go into a temporary folder; keep yours, and the next run goes on where this one stopped.

    uv run python docs/examples/embedded_orchestrator.py
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nova_async import Orchestrator, Task, parse_cascade

PLAN = """\
+++
max_workers = 2
backoff = "100ms..1s"

[[milestone]]
id = "built"
message = "Everything is built."
group = "Build"
+++
# Embedded

### Build

| ID | What | Depends On |
|---|---|---|
| B1 | echo "Token usage: input=100, output=20, cache_read=0, cache_creation=0" | - |
| B2 | test $NOVA_ATTEMPT -gt 1 \\|\\| kill -9 $$ | - |

### Check

| ID | What | Depends On |
|---|---|---|
| C1 | echo "the checks fail"; exit 3 | B1, B2 |
| C2 | echo "never said" | C1 |
| C3 | echo "said" | B1 |
"""


def command_for(task: Task) -> Sequence[str]:
    """Return what runs for a task, in place of an agent: its prompt is a script."""
    return ["sh", "-c", task.description]


async def main(folder: Path) -> None:
    """Run the plan, and print what happens and how it ended."""
    orchestrator = Orchestrator(
        parse_cascade(PLAN),
        command_for=command_for,
        log_dir=folder / "logs",
        journal=folder / "journal.db",
        state_file=folder / "state.json",
    )
    events = orchestrator.events()  # before the run, so that nothing is missed

    async def follow() -> None:
        async for event in events:
            print(event.task_id or "run", event.kind, event.data.get("outcome") or event.data.get("message") or "")

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        running = group.create_task(orchestrator.run())

    report = running.result()
    for task in report.tasks.values():
        print(f"{task.id}: {task.state}, attempt {task.attempt}, {task.error or task.reason or 'fine'}")
    print(f"{report.usage.total} tokens, exit code {report.exit_code}: {orchestrator.get_status_summary()}")


with tempfile.TemporaryDirectory() as name:
    asyncio.run(main(Path(name)))
