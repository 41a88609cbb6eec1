"""A writer that is killed at any moment: whatever it was told is durable is there."""

import random
import subprocess
from pathlib import Path

from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.words import Outcome
from tests.children import program
from tests.journal.making import PLAN

KILLS = 20


def write_until_killed(path: Path, run_id: str, records: int) -> list[tuple[str, str, int]]:
    """Run a writer, kill it after so many records were told durable, and return all that it told."""
    command = program("journal_writer", path, run_id)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(records)]
        writer.kill()
        lines += writer.stdout.readlines()
    told = [line.split() for line in lines if line.endswith("\n")]
    return [(what, which, int(number)) for what, which, number in told]


def missing(told: list[tuple[str, str, int]], path: Path) -> list[tuple[str, str, int]]:
    """Return what was told and is not in the journal."""
    reader = JournalReader(path)
    there = {("began", run.start.run_id, 0) for run in reader.runs()}
    for attempt in reader.attempts(PLAN):
        about = attempt.start.id.task_id, attempt.start.id.number
        there.add(("began", *about))
        if attempt.finished is not None:
            there.add(("finished", *about))
        if attempt.end is not None:
            there.add(("ended", *about))
    return [record for record in told if record not in there]


async def test_everything_told_is_there_after_a_kill(path: Path) -> None:
    """Over 20 kills at random moments no durable record is lost, whoever reads first, and nothing is left locked."""
    chance = random.Random(5)
    told: list[tuple[str, str, int]] = []
    for kill in range(KILLS):
        told += write_until_killed(path, f"r{kill}", chance.randrange(1, 60))
        assert path.with_name("journal.db-wal").exists(), "the writer was killed while it wrote"
        assert missing(told, path) == []
    journal = await Journal.open(path)
    history = await journal.history(PLAN)
    assert missing(told, path) == []
    assert len(history.unfinished_runs) == KILLS
    known = JournalReader(path).attempts(PLAN)
    for task_id in history.attempts:
        numbers = [attempt.start.id.number for attempt in known if attempt.start.id.task_id == task_id]
        assert numbers == list(range(1, len(numbers) + 1))
    lost = await journal.end_lost(history.runs[0].started_at)
    assert len(lost) == sum(attempt.end is None for attempt in known)
    assert all(attempt.end is not None and attempt.end.outcome == Outcome.LOST for attempt in lost)
    await journal.close()
    assert len(told) > KILLS * 10
