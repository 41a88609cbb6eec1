"""Many records, few transactions; and what happens when one of them fails."""

import asyncio
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nova_async.journal.errors import JournalError
from nova_async.journal.journal import Journal
from tests.journal.making import end, moment, run, start


async def commits_of(journal: Journal) -> list[str]:
    """Have SQLite tell of every commit from now on."""
    commits: list[str] = []
    await journal._connection.set_trace_callback(
        lambda statement: commits.append(statement) if statement == "COMMIT" else None
    )
    return commits


def durable_ends(path: Path) -> int:
    """Count the ended attempts that another process would see."""
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM attempts WHERE outcome IS NOT NULL").fetchone()
    return int(count)


class NoRoom:
    """A disk on which this process may write nothing, for a while."""

    def __enter__(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limits[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


async def test_those_who_end_together_share_a_commit(journal: Journal, path: Path) -> None:
    """Attempts that end at the same time need one transaction together, and each waits until that is on the disk."""
    await asyncio.gather(*(journal.begin_attempt(start(f"T{number}")) for number in range(8)))
    commits = await commits_of(journal)

    async def finish(number: int) -> int:
        await journal.end_attempt(f"T{number}", 1, end())
        return durable_ends(path)

    seen = await asyncio.gather(*(finish(number) for number in range(8)))
    assert seen == [8] * 8
    assert len(commits) == 1


async def test_those_who_come_during_a_commit_share_the_next(journal: Journal) -> None:
    """Whoever comes while the disk works waits for the next transaction, all of them for the same one."""
    commits = await commits_of(journal)
    first = asyncio.create_task(journal.begin_attempt(start("T0")))
    while not journal._ledger.batches and not commits:
        await asyncio.sleep(0)  # until the first transaction is under way
    others = [asyncio.create_task(journal.begin_attempt(start(f"T{number}"))) for number in range(1, 50)]
    await asyncio.gather(first, *others)
    assert len(commits) == 2
    assert len((await journal.history()).attempts) == 50


async def test_what_nobody_waits_for_joins_the_next_commit(journal: Journal) -> None:
    """Noting processes and events costs no transaction of its own where a durable record follows."""
    commits = await commits_of(journal)
    await journal.begin_attempt(start())
    journal.note_process("F1", 1, 4711, 1.0)
    for second in range(100):
        journal.record_event(moment(second), "attempt_started", "F1", {})
    await journal.end_attempt("F1", 1, end())
    assert len(commits) == 2
    assert (await journal.history()).attempts["F1"][0].pid == 4711
    assert len(await journal.events()) == 100


async def test_what_nobody_waits_for_is_written_all_the_same(journal: Journal, path: Path) -> None:
    """An event that no durable record follows is in the file a moment later."""
    journal.record_event(moment(1), "run_started", None, {})
    async with asyncio.timeout(10):
        while True:
            with closing(sqlite3.connect(path)) as database:
                if database.execute("SELECT count(*) FROM events").fetchone() == (1,):
                    break
            await asyncio.sleep(0.01)  # it is promised soon, and tells nobody


async def test_one_bad_record_harms_no_other(journal: Journal) -> None:
    """A record that is refused fails alone; those of the same transaction are written."""
    attempts = [start("T1"), start("T1"), start("T2", run_id="nobody"), start("\udcff"), start("T3")]
    results = await asyncio.gather(*map(journal.begin_attempt, attempts), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), JournalError, JournalError, JournalError, type(None)]
    assert list((await journal.history()).attempts) == ["T1", "T3"]


async def test_a_cancelled_waiter_keeps_its_record(journal: Journal) -> None:
    """Who is cancelled while he waits has his record written nonetheless, and may end the attempt again."""
    await journal.begin_attempt(start())
    waiting = asyncio.create_task(journal.end_attempt("F1", 1, end("ok")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await journal.end_attempt("F1", 1, end("cancelled"))
    (attempt,) = (await journal.history()).attempts["F1"]
    assert attempt.end == end("ok")


async def test_a_full_disk(journal: Journal) -> None:
    """On a full disk everyone who waits gets the system's words; with room again, the journal goes on."""
    await journal.begin_attempt(start())
    journal.record_event(moment(1), "attempt_started", "F1", {})
    with NoRoom():
        waiting = [journal.end_attempt("F1", 1, end()), journal.begin_attempt(start("F2"))]
        results = await asyncio.gather(*waiting, return_exceptions=True)
    for result in results:
        assert isinstance(result, JournalError)
        assert f"{journal.path} cannot be written (disk I/O error): make room" in str(result)
    assert results[0] is not results[1]
    await journal.end_attempt("F1", 1, end())
    history = await journal.history()
    assert list(history.attempts) == ["F1"]
    assert history.attempts["F1"][0].end == end()
    assert len(await journal.events()) == 1, "what nobody waits for is tried again"


async def test_closing_writes_what_is_left(journal: Journal, path: Path) -> None:
    """Closing flushes, may be repeated and cancelled, and nothing can be written afterwards."""
    journal.record_event(moment(1), "run_ended", None, {})
    late = asyncio.create_task(journal.begin_attempt(start()))
    await asyncio.sleep(0)
    closing_it = asyncio.create_task(journal.close())
    await asyncio.sleep(0)
    closing_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing_it
    await asyncio.gather(journal.close(), journal.close())
    await late
    assert not path.with_name("journal.db-wal").exists()
    with pytest.raises(JournalError, match="is closed"):
        await journal.begin_attempt(start("F2"))
    journal.record_event(moment(2), "too_late", None, {})
    again = await Journal.open(path)
    assert list((await again.history()).attempts) == ["F1"]
    assert [event.kind for event in await again.events()] == ["run_ended"]
    await again.close()


async def test_closing_on_a_full_disk(path: Path) -> None:
    """What could not be written is told at the end, and the file is closed all the same."""
    journal = await Journal.open(path)
    await journal.begin_run(run())
    journal.record_event(moment(1), "run_ended", None, {})
    with NoRoom(), pytest.raises(JournalError, match="disk I/O error"):
        await journal.close()
    with pytest.raises(JournalError, match="disk I/O error"):
        await journal.close()
