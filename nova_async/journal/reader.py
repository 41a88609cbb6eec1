"""Reading a journal from outside: while a run writes it, after a kill, and after the end."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar, final

from nova_async.errors import JournalError
from nova_async.journal.columns import as_flag, as_moment, as_text, as_whole, either, from_word, to_text, to_whole
from nova_async.journal.explaining import understood
from nova_async.journal.history import History, Run, read_attempts, read_history, read_planned, read_runs
from nova_async.journal.older import bring_up_to_date
from nova_async.journal.places import files_of, own_path
from nova_async.journal.rows import EVENT, USED, event_of, names, used_of
from nova_async.journal.run_sums import RunSums, read_run_sums
from nova_async.journal.schema import SCHEMA_VERSION, check_version
from nova_async.journal.seal import is_ours, require_ours
from nova_async.records import Attempt, AttemptId, Event
from nova_async.views import TaskView
from nova_async.words import Outcome, Phase

__all__ = ["JournalReader", "PhaseStart"]

T = TypeVar("T")

BUSY_SECONDS = 5.0  # how long a reader waits for a writer that recovers the journal after a crash
MOST_LOOKS = 10  # how often a read is tried if the file changes meanwhile
SURE_LOOKS, PAUSE_SECONDS = 3, 0.01  # a -wal file alone must be seen so often, so far apart, to count as a dead copy

LAST_OF_TASK = "a.number = (SELECT max(number) FROM attempts WHERE plan = a.plan AND task_id = a.task_id)"


@final
@dataclass(frozen=True, slots=True)
class PhaseStart:
    """A phase of an attempt that has begun."""

    phase: Phase
    at: datetime
    activity: str | None = None
    """What was done in it, as last noted."""


@final
class JournalReader:
    """Read access to a journal, for anybody at any time; no file is created or changed.

    Each call opens the file and closes it again, so a reader may be kept as long as you like, used from any thread,
    and outlive the journal. It waits for the disk: in an event loop, use ``asyncio.to_thread``.

    Every call raises ``JournalError`` if there is no journal, if it cannot be read, or if it contains data that nova
    did not write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_ours(self) -> bool:
        """Tell whether this user has written the journal on this machine: a repository may have brought one along."""
        return self._ask(lambda journal: is_ours(journal, Path(os.path.realpath(self.path))))

    def require_ours(self) -> None:
        """Raise ``JournalError`` with what to do if the journal is not ours."""
        return self._ask(lambda journal: require_ours(journal, self.path, Path(os.path.realpath(self.path))))

    def runs(self, limit: int = 100) -> list[Run]:
        """Return the latest runs of all plans, newest first."""
        return self._ask(lambda journal: read_runs(journal, "ORDER BY rowid DESC LIMIT ?", to_whole(limit)))

    def run_sums(self, limit: int, no_failures: Collection[Outcome] = ()) -> list[RunSums]:
        """Return the latest runs of all plans, newest first, with what their own attempts came to.

        A task whose last outcome in a run is of ``no_failures`` has not failed in it.
        """
        return self._ask(lambda journal: read_run_sums(journal, to_whole(limit) or 0, no_failures))

    def runs_named(self, beginning: str, limit: int) -> list[Run]:
        """Return the latest runs whose id begins so, newest first."""
        # Not ``?1``: that is a name to newer versions of Python, and takes no value by its place.
        which = "WHERE substr(run_id, 1, length(?)) = ? ORDER BY rowid DESC LIMIT ?"
        begins = to_text(beginning)
        return self._ask(lambda journal: read_runs(journal, which, begins, begins, to_whole(limit)))

    def attempts_of_run(self, run_id: str) -> list[Attempt]:
        """Return the attempts of one run, in the order in which they started."""
        which = "WHERE a.run_id = ? ORDER BY a.rowid"
        return self._ask(lambda journal: read_attempts(journal, which, to_text(run_id)))

    def attempts(self, plan: str, task_id: str | None = None) -> list[Attempt]:
        """Return all attempts of a plan, or of one of its tasks, in the order in which they started."""
        which, parameters = "WHERE a.plan = ?", [to_text(plan)]
        if task_id is not None:
            which += " AND a.task_id = ?"
            parameters.append(to_text(task_id))
        return self._ask(lambda journal: read_attempts(journal, f"{which} ORDER BY a.rowid", *parameters))

    def plans(self) -> list[str]:
        """Return the plans that have been run, the one that was run last first."""
        question = "SELECT plan FROM runs GROUP BY plan ORDER BY max(rowid) DESC"
        return self._ask(lambda journal: [as_text(plan) for (plan,) in journal.execute(question)])

    def tasks(self, plan: str) -> list[str]:
        """Return the tasks of a plan that have begun."""
        question = "SELECT DISTINCT task_id FROM attempts WHERE plan = ?"
        return self._ask(lambda journal: [as_text(found) for (found,) in journal.execute(question, (to_text(plan),))])

    def completed(self, plan: str) -> dict[str, str]:
        """Return the tasks of a plan that have completed and still count, with the digests of their prompts then."""
        # SQLite takes the other columns from the row with the greatest number: the last that completed the task.
        which = "plan = ? AND counts AND outcome = ?"
        question = f"SELECT task_id, prompt_digest, max(number) FROM attempts WHERE {which} GROUP BY task_id"
        key = (to_text(plan), str(Outcome.OK))
        return self._ask(lambda journal: {as_text(row[0]): as_text(row[1]) for row in journal.execute(question, key)})

    def has_begun(self, plan: str) -> bool:
        """Tell whether a plan has begun any task."""
        question = "SELECT EXISTS (SELECT 1 FROM attempts WHERE plan = ?)"
        return self._ask(lambda journal: as_flag(journal.execute(question, (to_text(plan),)).fetchone()[0]))

    def used(self, plans: Collection[str], use: Callable[[Iterator[Attempt]], T]) -> T:
        """Return what ``use`` makes of all attempts of these plans, in any order, without their texts and files.

        It gets them one by one, because there may be hundreds of thousands; and again from the first, if the file
        changes meanwhile.
        """
        which = f"{USED} WHERE plan = ?"
        keys = [(to_text(plan),) for plan in plans]
        return self._ask(lambda journal: use(used_of(row) for key in keys for row in journal.execute(which, key)))

    def with_all_attempts(self, task: TaskView, run_id: str) -> TaskView:
        """Return a task with all its attempts, also with those that the run of that id no longer tells one by one."""
        which = "WHERE a.plan = (SELECT plan FROM runs WHERE run_id = ?) AND a.task_id = ? ORDER BY a.number"
        known = self._ask(lambda journal: read_attempts(journal, which, to_text(run_id), to_text(task.id)))
        latest = {attempt.start.id.number: attempt for attempt in task.attempts}
        missing = [attempt for attempt in known if attempt.start.id.number not in latest]
        found = sorted([*missing, *task.attempts], key=lambda attempt: attempt.start.id.number)
        return replace(task, attempts=tuple(found), earlier=None)

    def latest(self, plan: str) -> dict[str, Attempt]:
        """Return the last attempt of each task of a plan that has run, whether or not it still counts."""
        which = f"WHERE a.plan = ? AND {LAST_OF_TASK} ORDER BY a.task_id"
        found = self._ask(lambda journal: read_attempts(journal, which, to_text(plan)))
        return {attempt.start.id.task_id: attempt for attempt in found}

    def history(self, plan: str) -> History:
        """Return everything about a plan except its events."""
        return self._ask(lambda journal: read_history(journal, plan))

    def planned(self, plan: str) -> frozenset[str] | None:
        """Return the tasks that a plan had when it was last run; None where that is not known."""
        return self._ask(lambda journal: read_planned(journal, plan))

    def phases(self, id: AttemptId) -> list[PhaseStart]:  # noqa: A002
        """Return the phases of an attempt so far, in the order in which they began."""
        which = "SELECT phase, at, activity FROM phases WHERE run_id = ? AND task_id = ? AND number = ? ORDER BY at"
        key = (to_text(id.run_id), to_text(id.task_id), to_whole(id.number))
        return self._ask(
            lambda journal: [
                PhaseStart(from_word(Phase)(phase), as_moment(at), either(as_text)(activity))
                for phase, at, activity in journal.execute(which, key)
            ]
        )

    def changes(self, after: int, limit: int = 1000) -> list[Event]:
        """Return what has happened since the event with that number, oldest first; continue from the last one's number.

        A number beyond ``last_number()`` comes from another journal that used to be in this place: start again from 0.
        Events are written soon, but not durably: after a crash, which shows in the next ``run_started``, call
        ``latest`` again.
        """
        which = f"SELECT number, {names(EVENT)} FROM events WHERE number > ? ORDER BY number LIMIT ?"
        numbers = (to_whole(after), to_whole(limit))
        return self._ask(
            lambda journal: [event_of(number, columns) for number, *columns in journal.execute(which, numbers)]
        )

    def last_number(self) -> int:
        """Return the number of the latest event, 0 before the first; numbers are never reused."""
        question = "SELECT coalesce(max(number), 0) FROM events"
        return self._ask(lambda journal: as_whole(journal.execute(question).fetchone()[0]))

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query in one transaction."""
        with understood(self.path):
            for look in range(MOST_LOOKS):
                way = how_to_open(self.path)
                if way is COPY and look < SURE_LOOKS:
                    time.sleep(PAUSE_SECONDS)  # a writer that is opening or closing leaves it like this for an instant
                    continue
                try:
                    with opened(self.path, way) as journal:
                        answer = question(journal)
                except (sqlite3.Error, OSError) as error:
                    # A writer may have come or gone meanwhile: then the failure means nothing.
                    is_the_same = how_to_open(self.path) is way and not isinstance(error, FileNotFoundError)
                    if is_the_same or look == MOST_LOOKS - 1:
                        raise
                else:
                    if way is not QUIET or how_to_open(self.path) is QUIET:
                        return answer
            raise JournalError(f"{self.path} changes faster than it can be read: try again")


# Without a -wal file nobody is writing, and a plain read-only connection would create one and leave it behind. An
# immutable one reads the file as it is.
QUIET = "immutable=1"
# A writer is running, or was killed: the content of the -wal file counts. SQLite marks in the -shm file, its scratch
# pad, how far it reads. (With `readonly_shm=1` it would not, but then no writer in this process could open the file.)
BESIDE_A_WRITER = "mode=ro"
# A -wal file alone, as in a copied folder: SQLite cannot read it without creating a -shm file.
COPY = "copy"


def how_to_open(path: Path) -> str:
    """Return how a journal can be read without leaving anything behind.

    Raises ``JournalError`` if there is none.
    """
    if not path.exists():
        raise JournalError(f"{path} does not exist: nothing has been run here yet")
    _, wal, shm = files_of(own_path(path))  # a reader writes to the -shm file, too
    if not wal.exists():
        return QUIET
    return BESIDE_A_WRITER if shm.exists() else COPY


@contextlib.contextmanager
def opened(path: Path, way: str) -> Iterator[sqlite3.Connection]:
    """Open a journal for reading, and begin a transaction; one of an older format is converted in memory."""
    with contextlib.ExitStack() as stack:
        if way == COPY:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nova-")))
            source = copy_to(folder, path.resolve())
            address = source.as_uri()
        else:
            address = f"{path.absolute().as_uri()}?{way}"
        journal = stack.enter_context(contextlib.closing(connect(address)))
        journal.execute("PRAGMA trusted_schema = OFF")  # a file from elsewhere may have functions in its schema
        journal.execute("BEGIN")  # all of it as of one moment
        version = check_version(path, journal)
        if version == 0:
            raise JournalError(f"{path} is empty: nothing has been run here yet")
        if version < SCHEMA_VERSION:
            memory = stack.enter_context(contextlib.closing(connect("file::memory:")))
            journal.backup(memory)
            journal = memory
            bring_up_to_date(journal, path.resolve())
        yield journal


def connect(address: str) -> sqlite3.Connection:
    """Connect for one query."""
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def copy_to(folder: Path, path: Path) -> Path:
    """Copy a journal together with its -wal file."""
    for end in ("", "-wal"):
        shutil.copyfile(path.with_name(path.name + end), folder / (path.name + end))
    return folder / path.name
