"""Many records, few transactions; each stands or falls alone."""

import asyncio
import os
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from nova_async._core.threads import DISK_THREADS
from nova_async.errors import JournalError
from nova_async.journal import waiting
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.words import EventKind, Outcome, Phase
from tests.journal.making import PLAN, attempt, end, event, moment, run, start


async def commits_of(journal: Journal) -> list[str]:
    """Have SQLite tell of every commit from now on."""
    commits: list[str] = []

    def note(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)

    await journal._written(lambda connection: connection.set_trace_callback(note))
    commits.clear()  # that of this very call
    return commits


@asynccontextmanager
async def busy(journal: Journal) -> AsyncIterator[None]:
    """Keep the journal's thread within a transaction, as a slow disk does."""
    began, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(_: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(30)

    holding = asyncio.create_task(journal._written(hold))
    await began.wait()
    try:
        yield
    finally:
        go_on.set()
        await holding


async def turns() -> None:
    """Let the loop turn until what has been put down is handed over."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_those_who_end_together_share_a_commit(journal: Journal, path: Path) -> None:
    """Attempts that end at the same time need one transaction together, and each waits until its own is on the disk."""
    await asyncio.gather(*(journal.begin_attempt(start(f"T{number}")) for number in range(50)))
    commits = await commits_of(journal)

    async def finish(number: int) -> None:
        await journal.end_attempt(end(f"T{number}"))
        with closing(sqlite3.connect(path)) as database:
            this = "SELECT outcome FROM attempts WHERE task_id = ?"
            assert database.execute(this, (f"T{number}",)).fetchone() == ("ok",)

    async with busy(journal):  # so that all are there, however slow this machine
        ends = [asyncio.create_task(finish(number)) for number in range(50)]
        await turns()
    await asyncio.gather(*ends)
    assert len(commits) == 2


async def test_a_record_is_one_statement(journal: Journal) -> None:
    """Between the two of its transaction: nothing is asked before, and nothing guards it, unless it is refused."""
    statements: list[str] = []
    await journal._written(lambda connection: connection.set_trace_callback(statements.append))
    statements.clear()
    journal.record(event())
    await journal.begin_attempt(start())
    journal.note_process(attempt(), 4711, 1.0, None)
    journal.note_phase(attempt(), Phase.RUN, moment(1))
    await journal.end_attempt(end())
    first = [statement.split()[0] for statement in statements]
    assert first == ["BEGIN", "INSERT", "INSERT", "COMMIT", "BEGIN", "UPDATE", "INSERT", "UPDATE", "COMMIT"]


async def test_those_who_come_during_a_commit_share_the_next(journal: Journal) -> None:
    """Whoever comes while the disk works waits for the next transaction, all of them for the same one."""
    commits = await commits_of(journal)
    async with busy(journal):
        others = [asyncio.create_task(journal.begin_attempt(start(f"T{number}"))) for number in range(50)]
        await turns()
    await asyncio.gather(*others)
    assert len(commits) == 2
    assert len((await journal.history(PLAN)).attempts) == 50


async def test_what_nobody_waits_for_joins_the_next_commit(journal: Journal) -> None:
    """Noting processes, phases and events costs no transaction of its own where a durable record follows."""
    await journal.begin_attempt(start())
    commits = await commits_of(journal)
    async with busy(journal):
        journal.note_process(attempt(), 4711, 1.0, None)
        journal.note_phase(attempt(), Phase.RUN, moment(1))
        for second in range(100):
            journal.record(event(seconds=second))
        ending = asyncio.create_task(journal.end_attempt(end()))
        await turns()
    await ending
    assert len(commits) == 2
    assert (await journal.history(PLAN)).attempts["F1"][0].pid == 4711
    assert len(JournalReader(journal.path).changes(0)) == 100


async def test_what_nobody_waits_for_is_written_all_the_same(journal: Journal, path: Path) -> None:
    """An event that no durable record follows is in the file a moment later."""
    journal.record(event())
    async with asyncio.timeout(10):
        while JournalReader(path).last_number() == 0:
            await asyncio.sleep(0.01)  # it is promised soon, and tells nobody


async def test_an_idle_journal_wakes_nobody(journal: Journal) -> None:
    """With nothing to write, its thread waits without a deadline."""
    journal.record(event())
    await journal.history(PLAN)
    assert journal._inbox._due is None


async def test_one_bad_record_harms_no_other(journal: Journal) -> None:
    """A record that is refused fails alone; those of the same transaction are written."""
    attempts = [start("T1"), start("T1"), start("T2", run_id="nobody"), start(number="x"), start("T3")]
    async with busy(journal):
        waiting_for = [asyncio.create_task(journal.begin_attempt(each)) for each in attempts]
        await turns()
    results = await asyncio.gather(*waiting_for, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), JournalError, JournalError, JournalError, type(None)]
    assert list((await journal.history(PLAN)).attempts) == ["T1", "T3"]


async def test_a_record_that_fails_half_way_leaves_nothing(journal: Journal) -> None:
    """What a refused record has changed before it failed is undone."""

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE runs SET project = 'changed'")
        raise ValueError("half way")

    with pytest.raises(JournalError, match="rejected a record: half way"):
        await journal._written(write)
    assert (await journal.history(PLAN)).runs == (run(),)


async def test_what_nobody_waits_for_and_is_refused_is_told(path: Path) -> None:
    """An event that cannot be written, and a phase of an unknown attempt, are told as trouble and harm nothing."""
    told: list[str] = []
    journal = await Journal.open(path, on_trouble=told.append)
    await journal.begin_run(run())
    circle: list[object] = []
    circle.append(circle)
    journal.record(event(data={"circle": circle}))
    journal.record(event(kind="no_such_kind"))  # type: ignore[arg-type]
    journal.note_phase(attempt("F9"), Phase.RUN, moment(1))
    await journal.begin_attempt(start())
    assert [text.split(": ")[0] for text in told] == [f"{path} rejected a record"] * 3
    await journal.close()


async def test_a_cancelled_waiter_keeps_its_record(journal: Journal) -> None:
    """Who is cancelled while he waits has his record written nonetheless, and may end the attempt again."""
    await journal.begin_attempt(start())
    async with busy(journal):
        ending = asyncio.create_task(journal.end_attempt(end()))
        await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
    await journal.end_attempt(end(outcome=Outcome.CANCELLED))
    (known,) = (await journal.history(PLAN)).attempts["F1"]
    assert known.end == end()


async def test_cancelled_at_any_step(journal: Journal) -> None:
    """Wherever a caller is cancelled, others get what they wait for, and the record is there or was never begun."""
    for step in range(8):
        beginning = asyncio.create_task(journal.begin_attempt(start(f"T{step}")))
        for _ in range(step):
            await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.wait([beginning])
        await journal.begin_attempt(start(f"other{step}"))
    there = (await journal.history(PLAN)).attempts
    assert {f"other{step}" for step in range(8)} <= set(there)
    assert {f"T{step}" for step in range(1, 8)} <= set(there), "once it is put down it is written"


async def test_closing_writes_what_is_left(journal: Journal, path: Path) -> None:
    """Closing flushes, may be repeated and cancelled, and nothing can be written afterwards."""
    journal.record(event(EventKind.RUN_ENDED))
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
    journal.record(event(EventKind.RUN_STARTED))
    assert list(JournalReader(path).latest(PLAN)) == ["F1"]
    assert [each.kind for each in JournalReader(path).changes(0)] == [EventKind.RUN_ENDED]


async def test_the_thread_has_ended_when_it_is_closed(path: Path) -> None:
    """A hundred journals, opened and closed, leave no thread behind, at no moment."""
    for _ in range(100):
        journal = await Journal.open(path)
        thread = journal._thread
        assert thread.is_alive()
        await journal.close()
        assert not thread.is_alive()
        assert thread not in threading.enumerate()


async def test_a_journal_outlives_a_loop_that_is_torn_down(path: Path) -> None:
    """When an event loop ends with its callers cancelled, what was put down is written and the file is closed."""

    async def work(ready: asyncio.Event) -> None:
        journal = await Journal.open(path)
        try:
            await journal.begin_run(run())
            journal.record(event())
            ready.set()
            await asyncio.Event().wait()
        finally:
            await journal.close()

    async def main() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(work(ready))
        await ready.wait()
        assert not task.done()  # the end of the loop cancels it

    await asyncio.wrap_future(DISK_THREADS.submit(asyncio.run, main()))
    assert not path.with_name("journal.db-wal").exists()
    assert JournalReader(path).last_number() == 1


async def test_a_forked_child_is_told(journal: Journal) -> None:
    """In a forked child there is no thread that would write: a call is an error there, not a hang."""
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        """Be within the journal's queue at the moment of the fork, as any thread may be."""
        with journal._inbox._news:
            held.set()
            go_on.wait(30)

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait()
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(10)
        try:
            journal.record(event())
            journal.begin_attempt(start()).send(None)
        except JournalError as error:
            code = 0 if "opened by the parent process" in str(error) else 2
        finally:
            os._exit(code)
    go_on.set()
    holding.join()
    status = os.waitpid(child, 0)[1]  # noqa: ASYNC222 - it exits at once
    assert os.waitstatus_to_exitcode(status) == 0
    await journal.begin_attempt(start())


async def test_too_many_that_wait(path: Path) -> None:
    """While the disk hangs, what nobody waits for is kept up to a bound; the oldest go first, and that is told."""
    told: list[str] = []
    journal = await Journal.open(path, on_trouble=told.append)
    async with busy(journal):
        for number in range(waiting.MOST_UNWRITTEN + 3):
            journal.record(event(data={"number": number}))
        assert journal._inbox.left() == waiting.MOST_UNWRITTEN
    await journal.close()
    assert told == [f"{path} cannot be written: more than 10,000 records are waiting, and the oldest are being dropped"]
    (first,) = JournalReader(path).changes(0, limit=1)
    assert first.data == {"number": 3}


async def test_whoever_waits_never_waits_for_company(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the first time nor later: the pause is for what nobody waits for."""
    monkeypatch.setattr(waiting, "COMPANY_SECONDS", 60.0)
    async with asyncio.timeout(20):
        journal = await Journal.open(path)
        await journal.begin_run(run())
        for number in range(1, 4):
            await journal.begin_attempt(start(number=number))
        await journal.close()
