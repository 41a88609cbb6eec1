"""The journal: what every run that uses it has done, durably, in one SQLite file.

How durable: when a call documented as durable has returned, its record has been through ``fsync``
(``synchronous=FULL``, and ``F_FULLFSYNC`` on macOS). It survives the death of this process at any moment, a system
crash, and a power cut, as far as the disk tells the truth. A record that nobody waits for is in the file within
``COMPANY_SECONDS`` and the time of a commit, or with the next durable one if that comes first; a kill loses those in
between, and nothing else.

If the disk accepts nothing, calls that wait fail and may be repeated; other records are kept and tried again.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from nova_async._core.cancellation import finish
from nova_async.errors import JournalError
from nova_async.journal import writing
from nova_async.journal.explaining import explained, is_damage, is_disk_failure, refused, understood
from nova_async.journal.history import History, read_history
from nova_async.journal.journal_file import JournalFile
from nova_async.journal.lock import RunLock
from nova_async.journal.taken_away import Watch
from nova_async.journal.waiting import MOST_UNWRITTEN, Inbox, Record
from nova_async.records import Attempt, AttemptEnd, AttemptId, AttemptStart, Event, LogRef, RunStart
from nova_async.words import Phase, RunEnd

__all__ = ["Journal"]


def silent(_: str) -> None:
    """Ignore a message."""


@final
class Journal:
    """The open journal. It belongs to the event loop that opened it; its file belongs to the holder of the lock.

    One thread does all that touches the disk, and ends with ``close``. Records that arrive while a commit waits for the
    disk all go into the next one: eight attempts that end at the same time pay for one or two ``fsync``, not for
    eight. A cancelled call neither loses its record nor delays any other.
    """

    def __init__(self, path: Path, lock: RunLock | None, trusts: bool, on_trouble: Callable[[str], object]) -> None:
        """Use ``open``."""
        self.path = path
        self.is_lost = False
        """Whether another run has taken this one's place: both would run the same tasks."""
        self._lock = lock
        self._trusts = trusts
        self._on_trouble = on_trouble
        self._run_id = ""
        self._number: int | None = None  # of the latest event; None until a run has begun
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(self._tell_loss)
        self._watch: Watch | None = None
        self._hurries = False
        self._is_in_doubt = False  # whether the latest look at the files, or the latest write, has failed
        self._opened = unstoppable()
        self._closed = unstoppable()
        self._failure: JournalError | None = None
        self._disk_failure: Exception | None = None
        self._told: set[str] = set()
        # A daemon: a disk that hangs must not keep the program from exiting.
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        lock: RunLock | None = None,
        trusts: bool = True,
        on_trouble: Callable[[str], object] = silent,
    ) -> "Journal":
        """Open the journal, creating it and its folder if needed; one of an older nova is converted.

        ``lock`` is the journal's own, held by the caller; it is taken again if its file is removed. ``trusts`` is
        whether one that was written by another user or on another machine is accepted. ``on_trouble`` is
        called in the event loop, with a message, when something goes wrong that no call reports: the file was removed
        and has been restored, or a record that nobody waits for cannot be written.

        Raises ``JournalError`` if it cannot be used; the message names the file and says what to do.
        """
        journal = cls(path, lock, trusts, on_trouble)
        try:
            journal._thread.start()
        except RuntimeError as error:
            raise JournalError(f"{path} cannot be opened: the system could not start a thread ({error})") from error
        opening = asyncio.get_running_loop().create_task(outcome(journal._opened))
        try:
            folder = await finish(opening, lambda: None)
        except JournalError:
            journal._thread.join()
            raise
        except asyncio.CancelledError:
            await journal.close()
            raise
        journal._watch_folder(folder)
        return journal

    async def begin_run(self, start: RunStart, *, fresh: bool = False, taken_over: Iterable[Attempt] = ()) -> None:
        """Record durably that a run begins; with ``fresh`` nothing earlier of its plan counts any more.

        ``taken_over`` are attempts of its own plan that were over before there was a journal.
        """
        number: int = await self._written(writing.run_start(start, fresh, list(taken_over)))
        self._run_id, self._number = start.run_id, max(number, self._number or 0)

    async def end_run(self, run_id: str, ended_at: datetime, how: RunEnd) -> None:
        """Record durably that a run is over; one that is already over stays as it is."""
        await self._written(writing.run_end(run_id, ended_at, how))

    async def begin_attempt(self, start: AttemptStart) -> None:
        """Record durably that an attempt begins.

        Raises ``JournalError``, also if the plan's task already has an attempt of that number, or the run never began.
        """
        await self._written(writing.attempt_start(start))

    def note_process(
        self,
        id: AttemptId,  # noqa: A002
        pid: int,
        pid_start_time: float,
        cookie: str | None,
        log: LogRef | None = None,
    ) -> None:
        """Record, soon, which process works for an attempt, and in which log its output is."""
        self._soon(lambda: writing.process(id, pid, pid_start_time, cookie, log))

    def note_phase(self, id: AttemptId, phase: Phase, at: datetime, activity: str | None = None) -> None:  # noqa: A002
        """Record, soon, that a phase of an attempt has begun; call it again to update the activity."""
        self._soon(lambda: writing.phase(id, phase, at, activity))

    async def finish_agent(self, finished: AttemptEnd) -> None:
        """Record durably the result of an attempt's agent, while the attempt goes on.

        It is kept as ``Attempt.finished``, however the attempt ends. The first call counts.
        """
        await self._written(writing.agent_end(finished))

    async def end_attempt(self, end: AttemptEnd) -> None:
        """Record durably how an attempt ended. The first end counts: a second one is ignored.

        So after a cancellation or a full disk, simply call it again.
        """
        await self._written(writing.attempt_end(end))

    async def open_attempts(self) -> list[Attempt]:
        """Return the attempts of all plans that have no end, oldest first."""
        found: list[Attempt] = await self._written(
            lambda connection: self._understood(writing.open_attempts, connection)
        )
        return found

    async def end_lost(
        self,
        now: datetime,
        *,
        but_for: Collection[AttemptId] = (),
        remains: Mapping[AttemptId, AttemptEnd] = MappingProxyType({}),
    ) -> list[Attempt]:
        """End as lost every attempt, of any plan, that has no end because its supervisor died, and return them.

        The results of their agents are kept in their ends, and so is what ``remains`` tells of others. Those in
        ``but_for`` are still running elsewhere.
        """
        write = writing.lost_attempts(now, but_for, remains)
        lost: list[Attempt] = await self._written(lambda connection: self._understood(write, connection))
        return lost

    async def reset(self, plan: str, task_ids: Iterable[str]) -> None:
        """Record durably that the attempts so far of these tasks of a plan no longer count."""
        await self._written(writing.reset(plan, task_ids))

    async def approve(self, plan: str, task_ids: Iterable[str], at: datetime) -> None:
        """Record durably that tasks of a plan are approved. The first time counts, until a fresh run of the plan."""
        await self._written(writing.approval(plan, task_ids, at))

    async def withdraw(self, plan: str, task_ids: Iterable[str]) -> None:
        """Record durably that tasks of a plan need approval again."""
        await self._written(writing.no_approval(plan, task_ids))

    async def note_plan(self, plan: str, task_ids: Iterable[str]) -> None:
        """Record durably which tasks a plan has."""
        await self._written(writing.planned(plan, task_ids))

    async def reach_milestone(self, plan: str, milestone_id: str, at: datetime) -> None:
        """Record durably that a milestone of a plan is reached. The first time counts."""
        await self._written(writing.milestone(plan, milestone_id, at))

    async def note_control(self, run_id: str, address: str | None) -> None:
        """Record durably on which socket a run answers: others look for it there."""
        await self._written(writing.control(run_id, address))

    def record(self, event: Event) -> Event:
        """Record an event, soon, in the run that has begun unless the event names another, and return it with that.

        Once a run has begun it also has its number: nobody else writes events. If a durable call follows at once, both
        go into the same transaction.
        """
        if self._number is not None:
            self._number += 1
        event = replace(event, run_id=event.run_id or self._run_id, number=self._number or event.number)
        self._soon(lambda: writing.event(event))
        return event

    async def history(self, plan: str) -> History:
        """Return everything about a plan except its events, including all that was recorded before this call."""
        history: History = await self._written(
            lambda connection: self._understood(lambda opened: read_history(opened, plan), connection)
        )
        return history

    async def close(self) -> None:
        """Write what is left and close the file. May be called any number of times; if cancelled, it still completes.

        Raises ``JournalError`` if something that nobody waited for could not be written; the file is closed anyway.
        """
        if self._pid != os.getpid():
            return  # a forked child has neither the thread nor anything of its own to write
        self._inbox.close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        try:
            await outcome(self._closed)
        finally:
            if self._closed.done():
                self._thread.join()  # it has nothing left to do but end

    def _understood(self, read: writing.Write, connection: Any) -> Any:
        with understood(self.path):
            return read(connection)

    async def _written(self, write: writing.Write) -> Any:
        """Have something written or read in the next transaction, and wait until that is on disk."""
        if self._pid != os.getpid():
            raise JournalError(f"{self.path} was opened by the parent process: open it again after the fork")
        waiter = self._loop.create_future()
        if not self._inbox.put(Record(write, waiter)):
            raise JournalError(f"{self.path} is closed")
        if not self._hurries:
            self._hurries = True
            self._loop.call_soon(self._hurry)  # not now: other records of this turn of the loop join the transaction
        return await waiter

    def _hurry(self) -> None:
        self._hurries = False
        self._inbox.hurry()

    def _soon(self, make: Callable[[], writing.Write]) -> None:
        """Have something written that nobody waits for. Does nothing after ``close`` or in a forked child."""
        if self._pid != os.getpid():
            return
        try:
            write = make()
        except Exception as error:
            self._tell(str(refused(self.path, error)))
        else:
            self._inbox.put(Record(write))

    # From here on: the thread.

    def _work(self) -> None:
        try:
            file = JournalFile(self.path, self._lock, trusts=self._trusts)
        except BaseException as error:
            self._inbox.close()
            self._closed.set_result(None)
            self._opened.set_exception(explained(self.path, error))
            return
        self._opened.set_result(file.path.parent)
        if file.was_empty:
            self._tell(f"{self.path} was empty: if earlier runs have completed tasks, they will run again")
        try:
            while (batch := self._inbox.take()) is not None:
                self._write(file, batch)
            if self._inbox.left() == 0:
                self._failure = None  # those who waited have been told
            self._put_back(file)
        except BaseException as error:
            self._failure = explained(self.path, error)
        file.close()
        if self._failure is None:
            self._closed.set_result(None)
        else:
            self._closed.set_exception(self._failure)

    def _write(self, file: JournalFile, batch: list[Record]) -> None:
        """Write records in one transaction and tell those who wait for them."""
        unwritten = [record for record in batch if record.waiter is None]
        try:
            if self._is_in_doubt:
                self._put_back(file)
            if batch:
                file.write(batch)
                unwritten = []
            self._put_back(file)  # if the file has been removed, nobody would find the records
        except Exception as error:
            self._is_in_doubt = True
            self.is_lost = file.is_lost
            self._failed(batch, error)
            if not file.is_lost:  # otherwise they can never be written
                self._inbox.put_back(unwritten)
            return
        self._is_in_doubt = False
        self._disk_failure = None
        self._told.clear()
        self._inbox.has_written()
        for record in batch:
            if record.waiter is None and record.refusal is not None:
                self._tell(str(refused(self.path, record.refusal)))
        self._answer(batch)

    def _answer(self, batch: list[Record], failure: Exception | None = None) -> None:
        """Have the loop tell those who wait: all of them in one turn, because each turn wakes it."""
        if waiting := [record for record in batch if record.waiter is not None]:
            self._in_loop(self._tell_those, waiting, failure)

    def _failed(self, batch: list[Record], error: Exception) -> None:
        # Once reading has failed, SQLite takes the file for damaged. It is not: it may be whole on a disk that works.
        if is_damage(error) and self._disk_failure is not None:
            error = self._disk_failure
        elif is_disk_failure(error):
            self._disk_failure = error
        self._failure = explained(self.path, error)
        self._tell_once(str(self._failure))
        self._answer(batch, error)

    def _put_back(self, file: JournalFile) -> None:
        if told := file.keep_in_place():
            self._in_loop(self._watch_folder, file.path.parent)
            self._tell(told)

    def _tell_loss(self) -> None:
        waiting = f"more than {MOST_UNWRITTEN:,} records are waiting, and the oldest are being dropped"
        self._tell_once(f"{self.path} cannot be written: {waiting}")

    def _tell_once(self, text: str) -> None:
        """Report a message, but not twice before something has been written."""
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def _tell(self, text: str) -> None:
        self._in_loop(self._on_trouble, text)

    def _in_loop(self, call: Callable[..., object], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(call, *arguments)

    # And in the loop again.

    def _tell_those(self, waiting: list[Record], failure: Exception | None) -> None:
        for record in waiting:
            if record.waiter is None or record.waiter.done():
                continue  # its caller was cancelled
            if failure is not None:
                record.waiter.set_exception(explained(self.path, failure))
            elif record.refusal is not None:
                record.waiter.set_exception(refused(self.path, record.refusal))
            else:
                record.waiter.set_result(record.result)

    def _watch_folder(self, folder: Path) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if not self._inbox.is_closed:
            self._watch = Watch(folder, self._loop, self._inbox.hurry)
            self._inbox.hurry()  # it may have been removed before the watch began


def unstoppable() -> "Future[Any]":
    """Return a future that cancelling its waiter cannot end: the thread carries on and sets its result."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


async def outcome(future: "Future[Any]") -> Any:
    """Wait for the result of a thread."""
    return await asyncio.wrap_future(future)
