"""Writes attempts into a journal, four at a time, and prints each record once it is durable, until it is killed."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from nova_async.journal.lock import RunLock
from nova_async.journal.store import Journal
from nova_async.records import AttemptEnd, AttemptId, AttemptStart, Event, RunStart
from nova_async.words import EventKind, Outcome, Phase

NOW = datetime.now(UTC)
PLAN = "../CASCADE.md"


async def attempts(journal: Journal, run_id: str, task_id: str) -> None:
    """Begin and end one attempt after the other."""
    number = 0
    while True:
        number += 1
        this = AttemptId(run_id, task_id, number)
        await journal.begin_attempt(AttemptStart(id=this, plan=PLAN, started_at=NOW, agent="", prompt_digest=""))
        print("began", task_id, number, flush=True)
        journal.note_process(this, number, 0.0, None)
        journal.note_phase(this, Phase.RUN, NOW)
        journal.record(Event(kind=EventKind.ATTEMPT_STARTED, at=NOW, task_id=task_id, data={"number": number}))
        finished = AttemptEnd(id=this, outcome=Outcome.OK, phase=Phase.RUN, ended_at=NOW, duration_seconds=0.0)
        await journal.finish_agent(finished)
        print("finished", task_id, number, flush=True)
        await journal.end_attempt(finished)
        print("ended", task_id, number, flush=True)


async def main() -> None:
    """Write until the end."""
    path, run_id = Path(sys.argv[1]), sys.argv[2]
    with RunLock(path) as lock:
        journal = await Journal.open(
            path, lock=lock, on_trouble=lambda text: print("trouble", text.replace(" ", "_"), 0, flush=True)
        )
        start = RunStart(run_id=run_id, plan=PLAN, project="", started_at=NOW, supervisor="", pid=1, pid_start_time=0.0)
        await journal.begin_run(start)
        print("began", run_id, 0, flush=True)
        await asyncio.gather(*(attempts(journal, run_id, f"{run_id}.{name}") for name in "abcd"))


asyncio.run(main())
