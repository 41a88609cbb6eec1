"""Who is told what happens in a run: the journal, those who follow its events, the state file, and a callback."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, final

from nova_async.orchestrator.event_stream import EventStream
from nova_async.orchestrator.picture import Picture
from nova_async.orchestrator.run_records import RunRecords
from nova_async.records import Event
from nova_async.words import EventKind

__all__ = ["Telling"]

MOST_WARNINGS = 1000  # kept and told; more than one per task of a large plan says nothing new


@final
class Telling:
    """Tells everybody; ``on_change`` is somebody else's, and what it raises harms nothing."""

    def __init__(self, records: RunRecords, picture: Picture, on_change: Callable[[str | None], object] | None) -> None:
        self.events = EventStream()
        self._records = records
        self._picture = picture
        self._on_change = on_change

    def tell(self, kind: EventKind, task_id: str | None = None, **data: Any) -> None:
        """Tell that something has happened; ``data`` is more about it, in types that ``json.dumps`` takes."""
        event = Event(kind=kind, at=datetime.now(UTC), task_id=task_id, data=data, run_id=self._records.run_id)
        self._records.record(event)
        self.events.put(event)
        self.changed(task_id)

    def warn(self, text: str) -> None:
        """Tell that something is wrong that costs no task; each sentence once."""
        if text not in self._records.warnings and len(self._records.warnings) < MOST_WARNINGS:
            self._records.warnings.append(text)
            self.tell(EventKind.WARNING, message=text)

    def changed(self, task_id: str | None) -> None:
        """Tell that something about a task, or about the run, looks different now."""
        if task_id is not None:
            self._picture.touch((task_id,))
        self._records.touch(() if task_id is None else (task_id,))
        if self._on_change is not None:
            with suppress(Exception):  # whoever watches must not be able to stop the work
                self._on_change(task_id)
