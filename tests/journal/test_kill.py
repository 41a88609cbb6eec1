"""A writer that is killed at any moment: whatever it was told is durable is there."""

import random
import subprocess
from pathlib import Path

from nova_async.journal.history import History
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


def missing(told: list[tuple[str, str, int]], history: History) -> list[tuple[str, str, int]]:
    """Return what was told and is not in the journal."""
    there = {("began", start.run_id, 0) for start in history.runs}
    for task_id, attempts in history.attempts.items():
        for attempt in attempts:
            there.add(("began", task_id, attempt.start.id.number))
            if attempt.finished is not None:
                there.add(("finished", task_id, attempt.start.id.number))
            if attempt.end is not None:
                there.add(("ended", task_id, attempt.start.id.number))
    return [record for record in told if record not in there]


async def test_everything_told_is_there_after_a_kill(path: Path) -> None:
    """Over 20 kills at random moments no durable record is lost, whoever reads first, and nothing is left locked."""
    chance = random.Random(5)
    told: list[tuple[str, str, int]] = []
    for kill in range(KILLS):
        told += write_until_killed(path, f"r{kill}", chance.randrange(1, 60))
        assert path.with_name("journal.db-wal").exists(), "the writer was killed while it wrote"
        assert missing(told, JournalReader(path).history(PLAN)) == []
    journal = await Journal.open(path)
    history = await journal.history(PLAN)
    assert missing(told, history) == []
    assert len(history.unfinished_runs) == KILLS
    for attempts in history.attempts.values():
        assert [attempt.start.id.number for attempt in attempts] == list(range(1, len(attempts) + 1))
    lost = await journal.end_lost(history.runs[0].started_at)
    assert len(lost) == sum(attempt.end is None for attempts in history.attempts.values() for attempt in attempts)
    assert all(attempt.end is not None and attempt.end.outcome == Outcome.LOST for attempt in lost)
    await journal.close()
    assert len(told) > KILLS * 10
