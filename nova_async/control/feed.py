"""What the clients of a run are sent: each change is written once, for all of them, and nothing where nobody looks."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias, final

from nova_async._core.threads import in_thread
from nova_async.control.protocol import Kind, change, encoded_event, snapshot
from nova_async.control.subscriber import Subscriber
from nova_async.journal.state_document import encoded, run_document, task_document
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.records import Event
from nova_async.views import RunView, TaskView

__all__ = ["Feed"]

PAUSE = 0.05  # seconds between two changes, as long as they keep coming; less than a person sees
LONGEST_PAUSE = 1.0  # seconds, where thousands of tasks keep changing
SHARE = 100  # a round that takes a millisecond comes every 100 of them at most: a hundredth of a core
A_FEW = 20  # tasks that are written in the event loop: a millisecond; more are written in a thread
A_LINE = 64 * 1024  # bytes of a change that is joined once for all clients
MOST_EVENTS = 1000  # kept for clients that come back: some minutes of a busy run; the journal has all of them

Written: TypeAlias = tuple[dict[str, bytes], dict[str, bytes]]
"""The parts of the document, and its tasks."""


@final
class Feed:
    """Follows a run. One round at a time: what has changed is gathered, written, and handed to every client.

    While nothing changes, and while nobody watches, nothing runs: no timer, no task.
    """

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._watchers: list[Subscriber] = []
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._new_events: list[Event] = []
        self._number = self._before = 0  # of the latest event, and of the last one that is not kept any more
        self._parts: dict[str, bytes] = {}
        self._tasks: dict[str, bytes] = {}  # each as it stands in the line, in the plan's order
        self._stale: set[str] = set()
        self._has_news = False
        self._round: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._not_before = 0.0

    def told(self, event: Event) -> None:
        """Take note of what has happened, if it is in the journal, as all is once the run has begun."""
        if not event.number:
            return
        if len(self._events) == MOST_EVENTS:
            self._before = self._events[0].number
        elif not self._events:
            self._before = event.number - 1
        self._events.append(event)
        self._number = event.number
        if self._watchers:
            self._new_events.append(event)

    def changed(self, task_id: str | None) -> None:
        """Take note that a task, or the run, looks different now."""
        if self._watchers:
            if task_id is not None:
                self._stale.add(task_id)
            self._begin()

    def add(self, watcher: Subscriber, since: int | None) -> None:
        """Send a snapshot to a client, and from then on what changes."""
        if not watcher.is_watching:
            watcher.is_watching = True
            self._watchers.append(watcher)
        watcher.since, watcher.is_behind = since, True
        self.catch_up(watcher)

    def catch_up(self, watcher: Subscriber) -> None:
        """Send a snapshot to a client that has missed changes."""
        if watcher in self._watchers:
            self._begin()

    def remove(self, watcher: Subscriber) -> None:
        """Let a client go; after the last one nothing is kept."""
        with suppress(ValueError):
            self._watchers.remove(watcher)
        if not self._watchers:
            self._tasks, self._parts, self._new_events = {}, {}, []
            self._stale.clear()

    async def flush(self) -> None:
        """Hand over how all tasks stand now, without a pause."""
        if self._watchers:
            self._stale.update(self._tasks)
            self._begin()
        while self._round is not None and not self._round.done():
            self._hurry.set()
            await asyncio.wait([self._round])

    def _begin(self) -> None:
        self._has_news = True
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        """Go round as long as something is new; when all is quiet the task ends, and with it every timer."""
        loop = asyncio.get_running_loop()
        while self._has_news and self._watchers:
            if (pause := self._not_before - loop.time()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._hurry.wait()
            self._has_news = False
            cost = 0.0
            try:
                cost = await self._go_round()
            except Exception as error:  # a wrong line is a bug, but the run is worth more than those who look at it
                loop.call_exception_handler({"message": "the clients of a run were not told", "exception": error})
            self._not_before = loop.time() + min(max(PAUSE, SHARE * cost), LONGEST_PAUSE)

    async def _go_round(self) -> float:
        """Write what is new, and hand it to everybody; return what that took, in seconds of a core."""
        began = time.thread_time()
        events, self._new_events = self._new_events, []
        number, before = self._number, self._before
        views, run = self._orchestrator.views, self._orchestrator.run_view
        known = self._tasks
        stale, self._stale = self._stale if known else views.keys(), set()
        stale_views = [views[task_id] for task_id in stale]
        elsewhere = 0.0
        if len(stale_views) <= A_FEW:
            found = written(stale_views, run)
        else:
            found, elsewhere = await in_thread(timed, stale_views, run)
            began = time.thread_time()
        if self._tasks is not known:  # the last one has left meanwhile
            self._has_news = True
            return elsewhere
        parts, tasks = news(self._parts, found[0]), news(known, found[1])
        self._parts.update(parts)
        self._tasks.update(tasks)
        up_to_date = [watcher for watcher in self._watchers if not watcher.is_behind]
        if up_to_date and (parts or tasks or events):
            line = change(parts, tasks.values(), number, [encoded_event(event) for event in events])
            whole = [b"".join(line)] if sum(map(len, line)) < A_LINE else line
            for watcher in up_to_date:
                watcher.put(Kind.CHANGE, whole)
                watcher.since = number
        for watcher in [each for each in self._watchers if each.is_behind and each.is_ready]:
            since = number if watcher.since is None else watcher.since
            missed = [encoded_event(event) for event in self._events if since < event.number <= number]
            watcher.is_behind, watcher.since = False, number
            watcher.put(Kind.SNAPSHOT, snapshot(self._parts, self._tasks.values(), number, missed, max(since, before)))
        return elsewhere + time.thread_time() - began


def timed(views: Sequence[TaskView], run: RunView) -> tuple[Written, float]:
    """Write, and tell how long it took, in seconds of a core."""
    began = time.thread_time()
    return written(views, run), time.thread_time() - began


def written(views: Sequence[TaskView], run: RunView) -> Written:
    """Write the parts of the document, and tasks, each as it stands in a line."""
    parts = {name: encoded(part) for name, part in run_document(run).items()}
    return parts, {view.id: encoded(view.id) + b":" + encoded(task_document(view)) for view in views}


def news(known: Mapping[str, bytes], found: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what is not the same as before."""
    return {name: said for name, said in found.items() if known.get(name) != said}
