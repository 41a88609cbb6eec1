"""The log writer: accepts chunks without ever waiting, and writes what has accumulated through aiofiles."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiofiles.threadpool import wrap

from nova_async._core.threads import DISK_THREADS, open_in_thread
from nova_async.worker.log.file import FileIdentity, LogFile, Stretch, without
from nova_async.worker.log.together import Door

__all__ = ["LogWriter"]

QUEUE_BYTES = 8 * 1024 * 1024  # waiting for a slow disk; beyond it reading pauses and the child is held up (G6)
WRITE_BYTES = 1024 * 1024  # the most that goes into one write: as much as one read of a full pipe brings
FLOOD = 64 * 1024  # bytes written at once by a child of which more will come at once
GATHER_SECONDS = 0.001  # that it is given to write more
TAIL_BYTES = 256 * 1024  # kept while the disk accepts nothing: what people want to see first once it works again (G7)
STALL_SECONDS = 30.0  # a disk that accepts nothing for this long counts as failed (G6)
LATE_SECONDS = 0.1  # a check for progress that runs this much too late proves nothing
RETRY_SECONDS = 2.0, 30.0  # first and longest pause before a failed disk is tried again


class LogWriter:
    """Writes one worker's output to its log in the order it came.

    A slow disk fills the queue (``is_full``: the reader should pause). A failing disk loses what does not fit; the
    number of lost bytes is marked in the log where they are missing, and ``error`` says why. Neither ever raises.
    """

    def __init__(self, file: LogFile) -> None:
        self.on_room: Callable[[], None] = lambda: None  # called when a full queue has room again
        self._error: str | None = None  # what is or was wrong with the disk
        self._lost = 0  # bytes of output that the disk did not take
        self.closed = False
        self._raw = file
        self._door = Door()
        self._file = wrap(file, executor=self._door)
        self._queue: deque[bytes] = deque()
        self._queued = 0  # bytes
        self._in_flight: list[bytes] = []  # what is being written, or what a failed write left over
        self._last_write = 0  # bytes
        self._in_flight_from = 0  # `LogFile.taken` when it was first handed over
        self._gap = 0  # lost bytes whose mark is not yet written; they stood between `_in_flight` and `_queue`
        self._writing_mark = False
        self._holding_back = False  # the reader pauses until there is room
        self._failing = False
        self._closing = False
        self._given_up = False  # a write hangs in its thread forever
        self._flushing: asyncio.Task[None] | None = None
        self._closing_file: asyncio.Future[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._retry_seconds = RETRY_SECONDS[0]
        self._stall: asyncio.TimerHandle | None = None
        self._followers: set[asyncio.Future[None]] = set()

    @classmethod
    async def open(cls, path: Path, parts_of_ours: int = 0) -> "LogWriter":
        """Open the log of a new attempt, as ``LogFile`` does; an earlier attempt's is kept beside it.

        Raises the system's ``OSError`` if it cannot be opened.
        """
        return cls(await open_in_thread(LogFile, path, parts_of_ours))

    @property
    def path(self) -> Path:
        """Where the log is."""
        return self._raw.path

    @property
    def identity(self) -> FileIdentity:
        """Which file it is, even after it was renamed."""
        return self._raw.identity

    @property
    def is_regular(self) -> bool:
        """Whether the log can be read back: a device or a FIFO cannot."""
        return self._raw.is_regular

    @property
    def error(self) -> str | None:
        """What is or was wrong with the disk, or with the file."""
        return self._error or self._raw.trouble

    @property
    def lost(self) -> int:
        """Bytes of output that are not in the log and never will be."""
        return self._lost + self._raw.gone

    @property
    def stretch(self) -> Stretch:
        """The file that the newest output is in, and where in it."""
        return self._raw.stretch

    @property
    def written(self) -> int:
        """Bytes of this attempt that are in the file so far, including our marks."""
        return self._raw.taken

    @property
    def is_full(self) -> bool:
        """Whether the reader should pause; never while the disk is failing, when only a tail is kept."""
        return self._queued >= QUEUE_BYTES

    def put(self, chunk: bytes) -> None:
        """Accept a chunk of output; returns at once."""
        self._queue.append(chunk)
        self._queued += len(chunk)
        if self._failing:
            self._keep_only_the_tail()
        elif self.is_full:
            self._holding_back = True
            self._watch_for_a_stall()
        if not self._failing:
            self._start_flushing()

    async def more(self, seen: int) -> None:
        """Wait until the file holds more than ``seen`` bytes of this attempt, or never will."""
        # In a loop: bytes can be read before they are acknowledged, and the wake-up for those then brings nothing new.
        while self.written <= seen and not self.closed:
            news = asyncio.get_running_loop().create_future()
            self._followers.add(news)
            try:
                await news
            finally:
                self._followers.discard(news)

    def begin_to_close(self) -> None:
        """Have the file closed while others go on, if all is written; ``close`` has to follow. No ``put`` may.

        To close it is a hop to a thread, which takes as long as to learn of an exit, or to look for what is left.
        """
        if self._flushing is None and not self._failing and self._closing_file is None:
            self._closing_file = self._door.submit(self._raw.close)

    async def close(self) -> None:
        """Write what is left and close the file; a disk that accepts nothing is given up on after ``STALL_SECONDS``.

        Cancelled, it may be called again.
        """
        if self._failing and not self._closing:
            self._try_again()
        self._closing = True
        while self._flushing is not None:
            self._watch_for_a_stall()
            await asyncio.wait([self._flushing])
            if self._flushing is None or not self._flushing.cancelled():
                break
            self._start_flushing()  # it was cancelled before it had begun
        self._cancel_timers()
        self._drop_what_is_left()
        if self._given_up:
            DISK_THREADS.submit(self._raw.close)  # it waits for the write that hangs
        else:
            try:
                if self._closing_file is None or self._closing_file.cancelled():
                    self._closing_file = self._door.submit(self._raw.close)
                await self._closing_file
            except OSError as error:  # a network disk may report a lost write only now
                self._error = error.strerror or str(error)
                with suppress(OSError):
                    self._raw.close()  # in case no thread could be started for it
        self.closed = True
        self._tell_followers()

    def close_now(self) -> None:
        """Close the file where the loop is closed and nothing can be written any more."""
        self._drop_what_is_left()
        with suppress(OSError):
            self._raw.close()
        self.closed = True

    def _start_flushing(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """Write until nothing waits or the disk fails.

        A cancellation only makes it hand over the same bytes again: the file knows which of them it has taken.
        """
        while self._next_to_write():
            try:
                await self._file.writelines(self._in_flight, self._in_flight_from)
            except asyncio.CancelledError:
                if self._given_up:
                    break
            except OSError as error:
                self._acknowledge()
                self._fail(error.strerror or str(error))
                break
            else:
                self._acknowledge()
                await self._let_gather()
        self._flushing = None

    async def _let_gather(self) -> None:
        """In a flood, wait a moment for more: a hop to a thread for each chunk would cost more than writing it."""
        with suppress(asyncio.CancelledError):
            if self._last_write >= FLOOD and self._queued < WRITE_BYTES and not self._closing:
                await asyncio.sleep(GATHER_SECONDS)

    def _next_to_write(self) -> list[bytes]:
        """Collect what to write next: the rest of a failed write, the mark of a gap, or new output."""
        if self._in_flight:
            return self._in_flight
        self._in_flight_from = self._raw.taken
        self._writing_mark = self._gap > 0
        if self._writing_mark:
            self._in_flight = [b"\n[nova: %d bytes not logged]\n" % self._gap]
            self._gap = 0
        elif self._queue:
            chunks = [self._queue.popleft()]
            size = len(chunks[0])
            while self._queue and size + len(self._queue[0]) <= WRITE_BYTES:
                chunks.append(self._queue.popleft())
                size += len(chunks[-1])
            self._queued -= size
            self._in_flight, self._last_write = chunks, size
        return self._in_flight

    def _acknowledge(self) -> None:
        """Note how much the file has accepted, and wake everybody who waits for that."""
        taken = self._raw.taken - self._in_flight_from
        self._in_flight_from += taken
        self._in_flight = without(taken, self._in_flight)
        if not taken:
            return
        if not self._in_flight:
            self._failing = False
            self._retry_seconds = RETRY_SECONDS[0]
        self._tell_followers()
        if self._queued < QUEUE_BYTES // 2:
            self._let_go_on()

    def _let_go_on(self) -> None:
        self._holding_back = False
        self.on_room()

    def _tell_followers(self) -> None:
        for news in self._followers:
            if not news.done():
                news.set_result(None)

    def _fail(self, why: str) -> None:
        """Carry on without the disk: keep the latest output, count the rest, and try again later (G7)."""
        self._failing = True
        self._error = why
        self._keep_only_the_tail()
        self._let_go_on()
        if not self._closing:
            self._retry = asyncio.get_running_loop().call_later(self._retry_seconds, self._try_again)
            self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS[1])

    def _try_again(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._start_flushing()

    def _keep_only_the_tail(self) -> None:
        while self._queued > TAIL_BYTES:
            chunk = self._queue.popleft()
            surplus = min(len(chunk), self._queued - TAIL_BYTES)
            if surplus < len(chunk):
                self._queue.appendleft(chunk[surplus:])
            self._queued -= surplus
            self._gap += surplus
            self._lost += surplus

    def _drop_what_is_left(self) -> None:
        """Count what the disk never accepted; a mark that could not be written is not output."""
        self._lost += self._queued + (0 if self._writing_mark else sum(map(len, self._in_flight)))
        self._queue.clear()
        self._queued = 0

    def _watch_for_a_stall(self) -> None:
        if self._stall is None:
            loop = asyncio.get_running_loop()
            due = loop.time() + STALL_SECONDS
            self._stall = loop.call_at(due, self._look_for_progress, self._raw.taken, due)

    def _look_for_progress(self, taken_before: int, due: float) -> None:
        self._stall = None
        if self._flushing is None or not (self._holding_back or self._closing):
            return
        # Much too late: we were suspended (Ctrl-Z), and the writing thread with us.
        stood_still = asyncio.get_running_loop().time() > due + LATE_SECONDS
        if stood_still or self._raw.taken != taken_before:
            self._watch_for_a_stall()
            return
        self._failing = True
        self._error = f"the disk accepted no data for {STALL_SECONDS:g} s"
        self._keep_only_the_tail()
        if self._closing:
            self._given_up = True
            self._flushing.cancel()
        else:
            self._let_go_on()

    def _cancel_timers(self) -> None:
        for timer in (self._retry, self._stall):
            if timer is not None:
                timer.cancel()
        self._retry = self._stall = None
