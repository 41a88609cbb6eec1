"""The journal: what every run of a directory has done, durably, in one SQLite file.

How durable: when a call that says so has returned, its record has been through ``fsync`` (``synchronous=FULL``, and
``F_FULLFSYNC`` on macOS). It survives the death of this process at any moment, of the system, and a power cut, as far
as the disk tells the truth. A record that nobody waits for is in the file within ``COMPANY_SECONDS`` and the time of
a commit, and with the next durable one at the latest; at a kill those in between are lost, and nothing else is.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, final

import aiosqlite

from nova_async.journal import reading, writing
from nova_async.journal.errors import JournalError, explained
from nova_async.journal.ledger import Ledger, Record
from nova_async.journal.records import Attempt, AttemptEnd, AttemptStart, History, JournalEvent, RunStart
from nova_async.journal.schema import SCHEMA
from nova_async.worker.disk_threads import DISK_THREADS
from nova_async.worker.uninterrupted import finish

__all__ = ["Journal"]

BUSY_SECONDS = 5.0  # another process that writes, such as `nova retry`, is done long before
COMPANY_SECONDS = 0.05  # a record that nobody waits for may wait so long for one to share its fsync with
MOST_UNWRITTEN = 10_000  # records kept for a disk that is full; beyond these the oldest are given up


@final
class Journal:
    """The open journal. It belongs to the event loop that opened it; its file belongs to whoever holds the lock.

    Whatever is to be written while a commit waits for the disk goes into the next one, all of it together: eight
    attempts that end at the same time pay for one or two ``fsync``, not for eight.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection, ledger: Ledger) -> None:
        """Use :meth:`open`."""
        self.path = path
        self._connection = connection
        self._ledger = ledger
        self._run_id: str | None = None
        self._queue: list[tuple[Record, asyncio.Future[Any] | None]] = []
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._failure: JournalError | None = None

    @classmethod
    async def open(cls, path: Path) -> "Journal":
        """Open the journal, and make it and its folder where there is none yet.

        Raises:
            JournalError: it cannot be used; the text names the file and says what to do.

        """
        opening = asyncio.get_running_loop().create_task(cls._open(path))
        try:
            return await finish(opening, lambda: None)
        except asyncio.CancelledError:
            if not opening.cancelled() and opening.exception() is None:
                await opening.result().close()
            raise

    @classmethod
    async def _open(cls, path: Path) -> "Journal":
        made: list[Ledger] = []

        def connect() -> Ledger:
            made.append(sqlite3.connect(path, factory=Ledger, timeout=BUSY_SECONDS, isolation_level=None))
            return made[0]

        try:
            await asyncio.wrap_future(DISK_THREADS.submit(make_file, path))
            connection = aiosqlite.Connection(connect, iter_chunk_size=64)
            await connection
            try:
                await prepare(path, connection)
            except BaseException:
                await connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise explained(path, error) from error
        return cls(path, connection, made[0])

    @staticmethod
    async def read(path: Path) -> History:
        """Read what a journal knows, from any process and at any time; nothing is made or changed.

        Raises:
            JournalError: there is none, or it cannot be read.

        """
        reader = DISK_THREADS.submit(reading.read_from_outside, path, reading.read_history)
        return await asyncio.wrap_future(reader)

    async def begin_run(self, start: RunStart, *, fresh: bool = False) -> None:
        """Write down that a run begins; with ``fresh`` all earlier attempts and milestones no longer count."""
        await self._written(writing.run_start(start, fresh))
        self._run_id = start.run_id

    async def end_run(self, run_id: str, ended_at: datetime, how: str) -> None:
        """Write down that a run is over; one that is over already stays as it is."""
        await self._written(writing.run_end(run_id, ended_at, how))

    async def begin_attempt(self, start: AttemptStart) -> None:
        """Write down that an attempt begins, durably.

        Raises:
            JournalError: also when the task has an attempt of that number already, or the run has never begun.

        """
        await self._written(writing.attempt_start(start))

    def note_process(self, task_id: str, number: int, pid: int, pid_start_time: float) -> None:
        """Have it written which process an attempt is."""
        self._put(writing.process(task_id, number, pid, pid_start_time), None)

    def note_log_moved(self, task_id: str, number: int, log_path: str) -> None:
        """Have it written where the log of an attempt that has ended is by now: the next one moves it aside."""
        self._put(writing.log_moved(task_id, number, log_path), None)

    async def end_attempt(self, task_id: str, number: int, end: AttemptEnd) -> None:
        """Write down how an attempt ended, durably. The first end stands: a second one is ignored.

        So whoever was cancelled while he waited may simply call again.
        """
        await self._written(writing.attempt_end(task_id, number, end))

    async def end_lost(self, ended_at: datetime) -> list[Attempt]:
        """End every attempt that has no end as ``lost``, because its supervisor died, and return them."""
        lost: list[Attempt] = await self._written(writing.lost_attempts(ended_at))
        return lost

    async def reset(self, task_ids: Iterable[str]) -> None:
        """Let the attempts so far of these tasks no longer count, durably."""
        await self._written(writing.reset(task_ids))

    async def reach_milestone(self, milestone_id: str, at: datetime) -> None:
        """Write down that a milestone is reached, durably. The first time stands."""
        await self._written(writing.milestone(milestone_id, at))

    def record_event(self, at: datetime, kind: str, task_id: str | None, data: Mapping[str, Any]) -> None:
        """Have it written that something happened in this run."""
        self._put(writing.event(self._run_id, at, kind, task_id, data), None)

    async def history(self) -> History:
        """Read everything but the events; what was put down before, by whomever, is in it."""
        history: History = await self._written(reading.read_history)
        return history

    async def events(self, run_id: str | None = None, after: int = 0) -> list[JournalEvent]:
        """Read the events of one run, or of all, that came after the one with that id."""
        found: list[JournalEvent] = await self._written(
            lambda connection: reading.read_events(connection, run_id, after)
        )
        return found

    async def close(self) -> None:
        """Write what is left and close the file. Call it as often as you like; cancelled, it goes on by itself.

        Raises:
            JournalError: something that nobody waited for could not be written; the file is closed all the same.

        """
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if self._writer is not None:
                await asyncio.wait([self._writer])
            if self._queue:
                await asyncio.wait([self._start_writer()])
            if self._timer is not None:
                self._timer.cancel()
            if self._queue and self._failure is not None:
                raise self._failure
        finally:
            await self._connection.close()

    async def _written(self, write: writing.Write) -> Any:
        """Have something written or read in the next transaction, and wait until that is on the disk."""
        if self._closing is not None:
            raise JournalError(f"{self.path} is closed")
        waiter = asyncio.get_running_loop().create_future()
        self._put(write, waiter)
        return await waiter

    def _put(self, write: writing.Write, waiter: "asyncio.Future[Any] | None") -> None:
        if self._closing is not None:
            return  # nobody was promised anything, and the end of a run is no place for an error
        self._queue.append((Record(write), waiter))
        if self._writer is not None:
            return
        if waiter is not None:
            self._start_writer()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COMPANY_SECONDS, self._start_writer)

    def _start_writer(self) -> "asyncio.Task[None]":
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._writer = asyncio.get_running_loop().create_task(self._write())
        return self._writer

    async def _write(self) -> None:
        """Write transaction after transaction while somebody waits for one."""
        try:
            while True:
                batch, self._queue = self._queue, []
                await self._write_together(batch)
                if not any(waiter is not None for _, waiter in self._queue):
                    return
        finally:
            self._writer = None
            if self._queue and self._failure is None and self._closing is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(COMPANY_SECONDS, self._start_writer)

    async def _write_together(self, batch: list[tuple[Record, "asyncio.Future[Any] | None"]]) -> None:
        """Write records in one transaction and tell those who wait for them."""
        self._ledger.batches.append([record for record, _ in batch])
        try:
            await self._connection.commit()
        except (sqlite3.Error, OSError) as error:
            self._failure = explained(self.path, error)
            for _, waiter in batch:
                if waiter is not None and not waiter.done():
                    waiter.set_exception(explained(self.path, error))
            # What nobody waits for is tried again with the next record.
            unwritten = [(record, waiter) for record, waiter in batch if waiter is None]
            self._queue[:0] = unwritten[-MOST_UNWRITTEN:]
            return
        except BaseException:  # a cancelled loop: what was handed over is still written, but nobody hears of it
            for _, waiter in batch:
                if waiter is not None:
                    waiter.cancel()
            raise
        self._failure = None
        for record, waiter in batch:
            if waiter is None or waiter.done():
                continue
            if record.refusal is None:
                waiter.set_result(record.result)
            else:
                waiter.set_exception(refused(self.path, record.refusal))


def refused(path: Path, refusal: Exception) -> JournalError:
    """Say why one record was not taken."""
    error = JournalError(f"{path} does not take this record: {refusal}")
    error.__cause__ = refusal
    return error


def make_file(path: Path) -> None:
    """Make the folder and an empty file, readable by its owner only, and make sure that both outlive a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def prepare(path: Path, connection: aiosqlite.Connection) -> None:
    """Check what kind of file it is before anything in it is changed, and make the tables where there are none."""
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    ((tables,),) = await connection.execute_fetchall("SELECT count(*) FROM sqlite_master")
    reading.check_version(path, version, tables)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "foreign_keys = ON"):
        await connection.execute_fetchall(f"PRAGMA {pragma}")
    if version == 0:
        await connection.executescript(SCHEMA)
