"""The run as it stands, as documents that are written once and sent to everybody, and what has changed since when."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from nova_async.web.answers import as_json

__all__ = ["Picture"]

MOST_EVENTS = 500  # a page that was away for longer reads them from the timeline


@final
@dataclass(slots=True)
class Entry:
    """A task as it stands."""

    document: Mapping[str, Any]
    look: Mapping[str, Any]
    turn: int
    """The turn in which it changed last."""
    number: int
    """The number of the journal's latest event then."""
    written: tuple[bytes, bytes] | None = None
    """Its document and its look as they stand in the JSON, once somebody wanted them."""

    def write(self, task_id: str) -> tuple[bytes, bytes]:
        """Write it as JSON, unless it is written."""
        if self.written is None:
            key = as_json(task_id) + b":"
            self.written = key + as_json(self.document), key + as_json(self.look)
        return self.written


@final
class Picture:
    """A run and its tasks, as documents.

    Each change takes a turn; whoever watches remembers up to which turn he knows it, and asks for what came after.
    Changes are gathered by that: of ten changes of a task, he who asks late sees the last.
    """

    def __init__(self) -> None:
        self.turn = 0
        self.number = 0
        """The number of the journal's latest event that is in it."""
        self.is_known = False
        """Whether there is a run at all."""
        self._head: dict[str, Any] = {}
        self._begun = 0  # the turn in which all became another: another run, or a plan with other tasks
        self._begun_at = 0  # the number then
        self._tasks: dict[str, Entry] = {}
        self._latest: dict[str, None] = {}  # the tasks in the order of their changes
        self._events: deque[tuple[int, bytes]] = deque(maxlen=MOST_EVENTS)

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def head(self) -> Mapping[str, Any]:
        """All of the document that is not a task."""
        return self._head

    def task(self, task_id: str) -> Mapping[str, Any] | None:
        """Return a task's document; None if there is no such task."""
        entry = self._tasks.get(task_id)
        return entry.document if entry is not None else None

    def tasks(self) -> dict[str, Mapping[str, Any]]:
        """Return the documents of all tasks, in file order."""
        return {task_id: entry.document for task_id, entry in self._tasks.items()}

    def show(
        self,
        head: Mapping[str, Any],
        tasks: Mapping[str, Mapping[str, Any]],
        looks: Mapping[str, Mapping[str, Any]],
        number: int,
    ) -> bool:
        """Take a whole document; say whether anything is new in it."""
        run = run_of(head)
        if not self.is_known or run != run_of(self._head) or list(tasks) != list(self._tasks) or number < self.number:
            self.turn += 1
            self._begun, self._begun_at, self.is_known = self.turn, number, True
            self._tasks, self._latest = {}, {}
        return self.change(head, tasks, looks, number)

    def change(
        self,
        head: Mapping[str, Any],
        tasks: Mapping[str, Mapping[str, Any]],
        looks: Mapping[str, Mapping[str, Any]],
        number: int,
    ) -> bool:
        """Take the head and the tasks that may have changed; say whether anything is new in them."""
        turn = self.turn + 1
        is_new = number != self.number or head != self._head or self._begun == self.turn
        self.number = number
        if head != self._head:
            self._head = dict(head)
        for task_id, document in tasks.items():
            known, look = self._tasks.get(task_id), looks.get(task_id, {})
            if known is None or known.document != document or known.look != look:
                self._tasks[task_id] = Entry(document, look, turn, number)
                self._latest.pop(task_id, None)
                self._latest[task_id] = None
                is_new = True
        if is_new:
            self.turn = turn
        return is_new

    def clear(self) -> bool:
        """Forget the run: there is none any more. Say whether there was."""
        if not self.is_known:
            return False
        self.turn += 1
        self._begun, self.is_known = self.turn, False
        self._head, self._tasks, self._latest, self.number = {}, {}, {}, 0
        self._events.clear()
        return True

    def add_events(self, events: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Add what has happened, by the journal's numbers, oldest first; only the latest are kept."""
        last = self._events[-1][0] if self._events else 0
        self._events.extend((number, as_json({"number": number, **event})) for number, event in events if number > last)

    def write(self) -> None:
        """Write all tasks as JSON that are not written yet; in any thread."""
        for task_id, entry in list(self._tasks.items()):
            entry.write(task_id)

    def snapshot(self) -> bytes:
        """Return it all as JSON."""
        return self._written(self._tasks.items())

    def since(self, turn: int, number: int = 0) -> bytes | None:
        """Return what has changed since a turn, and what has happened since an event, as JSON.

        None if nobody can know the run from that turn: another one has begun since.
        """
        if turn < self._begun or turn > self.turn:
            return None
        return self._written(self._changed_since(turn), [event for of, event in self._events if of > number])

    def turn_of(self, number: int) -> int | None:
        """Return up to which turn he knows the run who has seen the event with that number; None if that is unknown.

        Several changes may bear one number: he is told all of them again, which does no harm.
        """
        if not self._begun_at < number <= self.number or not self.is_known:
            return None
        return max([self._begun, *(entry.turn for entry in self._tasks.values() if entry.number < number)])

    def _changed_since(self, turn: int) -> Iterator[tuple[str, Entry]]:
        for task_id in reversed(self._latest):
            entry = self._tasks[task_id]
            if entry.turn <= turn:
                return
            yield task_id, entry

    def _written(self, entries: Iterable[tuple[str, Entry]], events: Iterable[bytes] = ()) -> bytes:
        written = [entry.write(task_id) for task_id, entry in entries]
        head = as_json({"number": self.number, **self._head})[:-1]
        tasks, looks = b",".join(task for task, _ in written), b",".join(look for _, look in written)
        parts = head, tasks, looks, b",".join(events)
        return b'%b,"tasks":{%b},"looks":{%b},"events":[%b]}' % parts


def run_of(head: Mapping[str, Any]) -> Any:
    """Return which run a document is about."""
    nova = head.get("nova")
    return nova.get("run_id") if isinstance(nova, Mapping) else None
