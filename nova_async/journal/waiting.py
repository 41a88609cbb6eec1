"""The queue of records waiting to be written, and when they are."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from nova_async.journal.writing import Write

__all__ = ["Inbox", "Record"]

COMPANY_SECONDS = 0.05  # how long a record that nobody waits for may wait for others to share its fsync with
MOST_UNWRITTEN = 10_000  # records kept while the disk is full; beyond that the oldest are dropped
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a failed write is tried again, doubling


@final
@dataclass(slots=True, eq=False)
class Record:
    """Something to be written or read, and its result."""

    write: Write
    """Runs in the journal's thread, within a transaction."""
    waiter: "asyncio.Future[Any] | None" = None
    """The future of a caller that waits until it is on disk, and who hurries."""
    result: Any = None
    refusal: Exception | None = None


@final
class Inbox:
    """Records on their way from any thread to the one that writes them.

    Records wait a moment for others (longer after a failure) and are then handed over together; ``hurry`` ends the
    wait, and must be called for a record that somebody waits for.
    """

    def __init__(self, on_loss: Callable[[], None]) -> None:
        self._on_loss = on_loss
        self._news = threading.Condition()
        self._records: list[Record] = []
        self._unawaited = 0
        self._hurry = False
        self._due: float | None = None
        self._sleeps = False  # whether nothing but news ends the wait
        self._pause = FIRST_PAUSE
        self._closed = False
        self._emptied = False

    @property
    def is_closed(self) -> bool:
        """Whether no more records are accepted."""
        return self._closed

    def put(self, record: Record) -> bool:
        """Accept a record; False once it is closed."""
        with self._news:
            if self._closed:
                return False
            self._records.append(record)
            if record.waiter is not None:
                return True
            self._unawaited += 1
            self._give_up_the_oldest()
            if self._due is None:
                self._due = time.monotonic() + COMPANY_SECONDS
                if self._sleeps:
                    self._news.notify()
        return True

    def hurry(self) -> None:
        """Have what is there handed over at once, even if it is nothing."""
        with self._news:
            self._hurry = True
            self._news.notify()

    def close(self) -> None:
        """Accept nothing more; what is there is still handed over."""
        with self._news:
            self._closed = True
            self._news.notify()

    def take(self) -> list[Record] | None:
        """Wait for the records to write next, perhaps none; None once there will never be any again."""
        # The first wait ends by itself: most records come soon after others, and need not wake the thread to be timed.
        left: float | None = COMPANY_SECONDS
        with self._news:
            while not (self._hurry or self._closed):
                if self._due is not None and (left := self._due - time.monotonic()) <= 0:
                    break
                self._sleeps = left is None
                self._news.wait(left)
                left = None
            self._sleeps = False
            if self._emptied or (self._closed and not self._records):
                return None
            self._emptied = self._closed
            self._hurry, self._due = False, None
            records, self._records = self._records, []
            self._unawaited = 0
            return records

    def put_back(self, records: list[Record]) -> None:
        """Put back records that could not be written, ahead of all others, to be tried again after a pause."""
        with self._news:
            self._records[:0] = records
            self._unawaited += len(records)
            self._give_up_the_oldest()
            self._due = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def has_written(self) -> None:
        """Forget earlier failures."""
        self._pause = FIRST_PAUSE

    def left(self) -> int:
        """Return how many records have not been written."""
        return len(self._records)

    def _give_up_the_oldest(self) -> None:
        lost = max(0, self._unawaited - MOST_UNWRITTEN)
        if lost:
            self._on_loss()
        for _ in range(lost):
            oldest = next(number for number, record in enumerate(self._records) if record.waiter is None)
            del self._records[oldest]
        self._unawaited -= lost
