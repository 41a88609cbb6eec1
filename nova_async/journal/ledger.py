"""One connection that writes many records in one transaction."""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

__all__ = ["Ledger", "Record"]

# What one record alone may be refused for: the other records of its transaction are none the worse.
REFUSALS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError,
            ValueError, TypeError, OverflowError, LookupError)  # fmt: skip


@final
@dataclass(slots=True, eq=False)
class Record:
    """Something to be written, and what came of it."""

    write: Callable[[sqlite3.Connection], Any]
    """Runs in the connection's thread; refuses before it changes anything."""
    result: Any = None
    refusal: Exception | None = None


@final
class Ledger(sqlite3.Connection):
    """A connection whose ``commit()`` first writes the next batch of records that was handed to it.

    aiosqlite takes a hop to its thread and back for each call: with one call per statement, those hops would cost
    more than the statements. So a whole transaction is one call.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.batches: deque[Sequence[Record]] = deque()
        """One for each commit that is to come. A commit whose caller was cancelled still takes its own."""

    def commit(self) -> None:
        """Write a batch of records, all of them in one transaction, but for those that are refused."""
        records = self.batches.popleft()
        self.execute("BEGIN IMMEDIATE")
        try:
            for record in records:
                try:
                    record.result = record.write(self)
                except REFUSALS as error:
                    record.refusal = error
            self.execute("COMMIT")
        except BaseException:
            if self.in_transaction:  # after some errors SQLite has rolled back already
                self.execute("ROLLBACK")
            raise
