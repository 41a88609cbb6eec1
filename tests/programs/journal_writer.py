"""Writes attempts into a journal, four at a time, and prints each record once it is durable, until it is killed."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from nova_async.journal.journal import Journal
from nova_async.journal.records import AttemptEnd, AttemptStart, RunStart

NOW = datetime.now(UTC)


async def attempts(journal: Journal, run_id: str, task_id: str) -> None:
    """Begin and end one attempt after the other."""
    number = 0
    while True:
        number += 1
        start = AttemptStart(
            run_id=run_id, task_id=task_id, number=number, started_at=NOW, log_path="", agent="", prompt_digest=""
        )
        await journal.begin_attempt(start)
        print("began", task_id, number, flush=True)
        journal.note_process(task_id, number, number, 0.0)
        journal.record_event(NOW, "attempt_started", task_id, {"number": number})
        await journal.end_attempt(task_id, number, AttemptEnd(outcome="ok", ended_at=NOW, duration_seconds=0.0))
        print("ended", task_id, number, flush=True)


async def main() -> None:
    """Write until the end."""
    path, run_id = Path(sys.argv[1]), sys.argv[2]
    journal = await Journal.open(path)
    await journal.begin_run(
        RunStart(run_id=run_id, cascade_file="", project="", started_at=NOW, supervisor="", pid=1, pid_start_time=0.0)
    )
    print("began", run_id, 0, flush=True)
    await asyncio.gather(*(attempts(journal, run_id, f"{run_id}.{name}") for name in "abcd"))


asyncio.run(main())
