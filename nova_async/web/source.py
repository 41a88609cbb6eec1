"""Where the page gets a run from: what it says while it is running, and its files before and after."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from nova_async._core.own_places import JOURNAL, LOG_DIR, STATE_FILE
from nova_async._core.threads import in_thread
from nova_async.control.board import Board
from nova_async.control.client import Control, connected
from nova_async.control.protocol import Kind, Message, Request
from nova_async.control.shown import head_of, looks_of
from nova_async.errors import JournalError, NoRunError, NovaError, StateFileError
from nova_async.journal.condition import condition_of
from nova_async.journal.reader import JournalReader
from nova_async.journal.state_document import read_state, run_document, task_document
from nova_async.journal.taken_away import Watch
from nova_async.records import Event
from nova_async.views import RunView, TaskView
from nova_async.web.picture import Picture
from nova_async.words import Condition

__all__ = ["Places", "Source", "show"]

# Seconds between two looks at the files of a run that has not ended and cannot be reached: a killed one writes nothing
# any more, one of an older nova has no socket, and a folder on a network may tell of no change.
FIRST_LOOK, LAST_LOOK = 0.5, 15.0
HEAD_SHARE = 10  # times the processor's time it took, until all tasks are looked at again: 3 ms for 200, 30 for 2,000
REST_SECONDS = 0.2  # between two readings of the files; a run replaces its state file once a second
NO_RUN = "no run here: {} does not exist; start one with `nova run`"
MOST_EVENTS = 500  # read at once


@final
@dataclass(frozen=True, slots=True)
class Places:
    """The files of a run."""

    folder: Path
    state: Path
    journal: Path
    log_dir: Path

    @classmethod
    def of(cls, folder: Path) -> "Places":
        """Return the usual ones of a folder."""
        return cls(folder, folder / STATE_FILE, folder / JOURNAL, folder / LOG_DIR)


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """The files of a run as they were read."""

    run: RunView
    tasks: dict[str, TaskView]
    condition: Condition
    number: int
    events: tuple[Event, ...] = ()


@final
class Source:
    """A run as it stands, whether or not it is running."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.picture = Picture()
        self.problem = "nothing has been read yet"
        """Why there is no run to show."""
        self.board: Board | None = None
        self._run: dict[str, Any] = {}
        self._control: Control | None = None
        self._head_after = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._seen: os.stat_result | None = None
        self._rung = asyncio.Event()
        self._look = asyncio.Event()

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the run meanwhile; it has been looked at once when this begins."""
        watch = Watch(self.places.state.parent, asyncio.get_running_loop(), self._look.set)
        await self._read()
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            watch.close()
            if self._later is not None:
                self._later.cancel()
            following.cancel()
            await asyncio.wait([following])

    @property
    def rung(self) -> asyncio.Event:
        """Set as soon as something has changed since it was asked for."""
        return self._rung

    async def ask(self, request: Request) -> Message:
        """Have the running run do something. Raises ``NovaError`` with the reason if it does not."""
        if self._control is None:
            raise NoRunError("no run is running here: start it with `nova run`")
        return await self._control.ask(request)

    async def _follow(self) -> None:
        """Listen to the run while it is running, and look at its files when that is over, or they are replaced."""
        patience: float | None = None
        while True:
            if self.board is None or self.board.is_over:
                patience = None
            elif await self._listen():
                patience = FIRST_LOOK
            else:
                patience = min(2 * (patience or FIRST_LOOK), LAST_LOOK)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._look.wait()
            await asyncio.sleep(REST_SECONDS)
            self._look.clear()
            await self._read()

    async def _listen(self) -> bool:
        """Take what the run says until it is over or gone; False if it said nothing."""
        was_heard = False
        try:
            async with connected(self.places.journal) as control, aclosing(control.watch(self.picture.number)) as said:
                async for message in said:
                    was_heard, self._control = True, control
                    self._take(message)
        except NovaError:  # it cannot be reached, or has gone: its files say what has become of it
            pass
        finally:
            self._control = None
        return was_heard

    def _take(self, message: Message) -> None:
        """Take a snapshot or a change; what has become of a run that is over stands in its files."""
        now = datetime.now(UTC)
        if message["kind"] == Kind.SNAPSHOT:
            self.board = Board.of(message, now)
        elif message["kind"] == Kind.CHANGE and self.board is not None:
            self.board = self.board.applied(message, now)
        else:
            self._look.set()
            return
        board = self.board
        self._run |= {name: message[name] for name in ("project", "nova") if name in message}
        documents = message.get("tasks", {})
        looks = looks_of(board, documents)
        self.picture.add_events((event.get("number", 0), event) for event in message.get("events", ()))
        put = self.picture.show if message["kind"] == Kind.SNAPSHOT else self.picture.change
        if put(self._head(board), documents, looks, board.number):
            self._ring()

    def _head(self, board: Board) -> Mapping[str, Any]:
        """Return what is shown of the run as a whole: it takes a look at all tasks, so not at every change."""
        loop = asyncio.get_running_loop()
        now, worked = loop.time(), time.thread_time()
        if now < self._head_after and self.picture.head.get("is_over") == board.is_over:
            if self._later is None:
                self._later = loop.call_at(self._head_after, self._catch_up)
            return {**self.picture.head, **self._run}
        head = head_of(board, self._run)
        self._head_after = now + HEAD_SHARE * (time.thread_time() - worked)  # on a busy machine it waits no longer
        return head

    def _catch_up(self) -> None:
        self._later = None
        if self.board is not None and self._control is not None:
            board = self.board.at(datetime.now(UTC))
            if self.picture.change(self._head(board), {}, {}, board.number):
                self._ring()

    async def _read(self) -> None:
        try:
            seen = self.places.state.stat()
            if self.board is not None and self.board.is_over and same_file(seen, self._seen):
                return
            reading = await in_thread(read, self.places, self.picture.number)
        except (StateFileError, OSError) as error:
            self.problem = str(error) if isinstance(error, StateFileError) else NO_RUN.format(self.places.state)
            self.board, self._seen = None, None
            if self.picture.clear():
                self._ring()
            return
        self._seen = seen
        self._show(reading)

    def _show(self, reading: Reading) -> None:
        now = datetime.now(UTC)
        self.board = Board(reading.run, reading.tasks, now, reading.condition, reading.number).at(now)
        self._run = run_document(reading.run)
        self.picture.add_events((event.number, event.as_dict()) for event in reading.events)
        if show(self.board, self._run, self.picture):
            self._ring()

    def _ring(self) -> None:
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()


def show(board: Board, run: Mapping[str, Any], picture: Picture) -> bool:
    """Show a run with all its tasks in a picture; say whether anything is new in it."""
    documents = {task.id: task_document(task) for task in board.tasks.values()}
    return picture.show(head_of(board, run), documents, looks_of(board, documents), board.number)


def read(places: Places, after: int) -> Reading:
    """Read the files of a run, and what has happened since an event. Raises ``StateFileError`` if there is none."""
    run, tasks = read_state(places.state)
    reader, number, events = JournalReader(places.journal), 0, []
    with contextlib.suppress(JournalError):  # the state file says enough
        number = reader.last_number()
        events = reader.changes(max(after, number - MOST_EVENTS), MOST_EVENTS) if number > after else []
    events = [event for event in events if event.run_id == run.run_id]
    return Reading(run, tasks, condition_of(run, tasks.values()), number, tuple(events))


def same_file(seen: os.stat_result, before: os.stat_result | None) -> bool:
    """Tell whether a file is the one that was seen before, unchanged."""
    return before is not None and (seen.st_ino, seen.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
