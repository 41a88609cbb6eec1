"""Who is told what happens in a run: the journal, those who follow its events, the state file, and a callback."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, final

from nova_async.cascade import Cascade
from nova_async.orchestrator import actions, reporting
from nova_async.orchestrator.event_stream import EventStream
from nova_async.orchestrator.holding import warning_of
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.picture import Picture
from nova_async.orchestrator.run_records import RunRecords
from nova_async.orchestrator.schedule import Schedule
from nova_async.orchestrator.secrets import Secrets
from nova_async.records import Event
from nova_async.words import EventKind

__all__ = ["Telling"]

MOST_WARNINGS = 1000  # kept and told; more than one per task of a large plan says nothing new


class Listener(NamedTuple):
    """Somebody who is told at once; it must be quick."""

    changed: Callable[[str | None], object]
    told: Callable[[Event], object] = lambda event: None


@final
class Telling:
    """Tells everybody; ``on_change`` is somebody else's, and what it raises harms nothing."""

    def __init__(
        self,
        records: RunRecords,
        picture: Picture,
        known: Mapping[str, TaskKnown],
        secrets: Secrets,
        on_change: Callable[[str | None], object] | None,
    ) -> None:
        self.events = EventStream()
        self._records = records
        self._picture = picture
        self._known = known
        self._secrets = secrets
        self._listeners: list[Listener] = [] if on_change is None else [Listener(on_change)]

    def listen(self, changed: Callable[[str | None], object], told: Callable[[Event], object]) -> Callable[[], None]:
        """Have one more listener told of changes, as ``on_change`` is, and of events at once; return what ends that."""
        listener = Listener(changed, told)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def note_control(self, address: str | None, trouble: str = "") -> None:
        """Write down on which socket others reach the run, which has begun, or tell why there is none."""
        if trouble:
            self.warn(trouble)
        await self._records.note_control(address)
        self.changed(None)

    def tell(self, kind: EventKind, task_id: str | None = None, **data: Any) -> None:
        """Tell that something has happened; ``data`` is more about it, in types that ``json.dumps`` takes."""
        event = Event(kind=kind, at=datetime.now(UTC), task_id=task_id, data=self._secrets.of_event(data),
                      run_id=self._records.run_id)  # fmt: skip
        event = self._records.record(event)
        self.events.put(event)
        self._picture.touch(() if task_id is None else (task_id,))  # who is told may look at it at once
        for listener in self._listeners:
            with suppress(Exception):
                listener.told(event)
        self.changed(task_id)

    def begin(self, cascade: Cascade, schedule: Schedule, only: Collection[str] | None, notes: Iterable[str]) -> None:
        """Tell that the run begins. The notes are not kept as warnings of the run: its tasks may settle them."""
        self.tell(
            EventKind.RUN_STARTED, None, run_id=self._records.run_id, project=cascade.project, total=len(cascade.tasks),
            completed=len(schedule.completed), failed=len(schedule.failed),
            **({} if only is None else {"selected": len(only)}),
        )  # fmt: skip
        for note in notes:
            self.tell(EventKind.WARNING, message=note)

    def follow(self, action: actions.Action) -> None:
        """Tell of an action, if it is one that others hear of."""
        match action:
            case actions.Completed(task_id):
                known = self._known[task_id]
                self._tell_end(EventKind.TASK_COMPLETED, task_id, **known.told_answer())
                if (doubt := reporting.silent_denial(known.task, known.attempts)) is not None:
                    self.warn(doubt)
            case actions.Retrying(task_id, delay):
                self._tell_end(EventKind.TASK_RETRYING, task_id, delay_seconds=round(delay, 3))
            case actions.Failed(task_id, blocks):
                self._tell_end(EventKind.TASK_FAILED, task_id, blocks=list(blocks))
            case actions.Stopped(task_id, has_run):
                if has_run:
                    self._tell_end(EventKind.TASK_STOPPED, task_id)
                else:
                    self.tell(EventKind.TASK_STOPPED, task_id)
            case actions.Reopened(task_id, stay):
                self.tell(EventKind.TASK_REOPENED, task_id, **({"stay_completed": list(stay)} if stay else {}))
            case actions.CameToGate(task_id):
                self.tell(EventKind.APPROVAL_NEEDED, task_id)
            case actions.PassedGate(task_id):
                self.tell(EventKind.APPROVED, task_id)
            case actions.HeldBack(task_id, hold):
                self._tell_end(EventKind.TASK_HELD, task_id, reason=hold.reason)
            case actions.OutOfBudget(task_id, reason):
                self._tell_end(EventKind.TASK_HELD, task_id, reason=reason, is_out_of_budget=True)
            case actions.Suspended(hold):
                self.warn(warning_of(hold), held=hold.agent, outcome=str(hold.outcome))
            case actions.Closed(_, hold):
                self.tell(EventKind.LIMIT_REACHED, **reporting.about_limit(hold))
            case actions.Opened(_, hold):
                self.tell(EventKind.LIMIT_RESET, agent=hold.agent, model=hold.model)
            case actions.Near(gauge):
                self.tell(EventKind.LIMIT_NEAR, **reporting.about_gauge(gauge))
            case actions.Overspent(text, task_of_budget, is_used_up):
                self.warn(text, budget_of=task_of_budget, is_used_up=is_used_up)
            case actions.ShortOfMemory(text):
                self.warn(text)
            case actions.Reached(milestone):
                self.tell(EventKind.MILESTONE, id=milestone.id, message=milestone.message, hint=milestone.hint)
            case _:
                pass

    def _tell_end(self, kind: EventKind, task_id: str, **more: Any) -> None:
        self.tell(kind, task_id, **reporting.about(self._known[task_id].last_end), **more)

    def warn(self, text: str, **more: Any) -> None:
        """Tell that something is wrong that costs no task, and what it is about; each sentence once."""
        text = self._secrets.redaction.text(text)
        if text not in self._records.warnings and len(self._records.warnings) < MOST_WARNINGS:
            self._records.warnings.append(text)
            self.tell(EventKind.WARNING, message=text, **more)

    def changed(self, task_id: str | None) -> None:
        """Tell that something about a task, or about the run, looks different now."""
        if task_id is not None:
            self._picture.touch((task_id,))
        self._records.touch(() if task_id is None else (task_id,))
        for listener in self._listeners:
            with suppress(Exception):  # a watcher must not be able to stop the work
                listener.changed(task_id)
