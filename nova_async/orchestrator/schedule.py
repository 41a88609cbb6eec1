"""Which task may start: the state of each task and the rules between them. Pure."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from nova_async.cascade import Cascade
from nova_async.words import TaskState

__all__ = ["MOST_BLOCKERS", "UNFINISHED", "Schedule"]

UNFINISHED = (TaskState.WAITING, TaskState.READY, TaskState.IN_PROGRESS, TaskState.RETRYING)
NEVER = (TaskState.FAILED, TaskState.BLOCKED)
MOST_BLOCKERS = 20  # failed tasks named by a blocked one: a screen holds no more, and 5,000 times 5,000 fill the memory


class Schedule:
    """The tasks of a cascade on their way: waiting → ready → in progress → completed, failed or retrying.

    ``completed``, ``failed`` and ``running`` are those of earlier runs. A failed task's dependants are blocked; the
    rest goes on. Tasks that are not in ``only`` never become ready, and those in ``barred`` not before ``unbar``.
    """

    def __init__(
        self,
        cascade: Cascade,
        *,
        max_workers: int,
        completed: Iterable[str] = (),
        failed: Iterable[str] = (),
        running: Iterable[str] = (),
        only: Collection[str] | None = None,
        barred: Iterable[str] = (),
    ) -> None:
        self.places = max_workers
        """How many there are now; that may change at any time, and then ends nothing that runs."""
        self.changed: set[str] = set(cascade.tasks)
        """Tasks whose state, or what it depends on, has changed since somebody cleared this."""
        self.came_to_bar: list[str] = []
        """Barred tasks that could begin otherwise, since somebody cleared this; they may be no longer so."""
        self._cascade = cascade
        self._only = only
        self._barred = set(barred)
        self._states: dict[str, TaskState] = dict.fromkeys(cascade.tasks, TaskState.WAITING)
        self._counts: Counter[TaskState] = Counter(self._states.values())
        self._left = sum(map(self.is_selected, cascade.tasks))
        self._missing = {task.id: len(set(task.depends_on)) for task in cascade.tasks.values()}
        self._blockers: dict[str, set[str]] = {}
        # By class, as far as that has a limit: so those of a full one need not be gone through each time.
        self._ready: dict[str | None, list[tuple[tuple[int, int, int], str]]] = defaultdict(list)
        self._slots = 0
        self._classes: Counter[str] = Counter()
        self._draining = False
        self._places = {task_id: place for place, task_id in enumerate(cascade.tasks)}
        self.completed: set[str] = set()
        self.failed: set[str] = set()
        for task_id in cascade.tasks:
            self._make_ready_if_free(task_id)
        for task_id in completed:
            self._set(task_id, TaskState.COMPLETED)
        for task_id in completed:
            self._release_dependents(task_id)
        for task_id in failed:
            self._set(task_id, TaskState.FAILED)
            self._block_dependents(task_id)
        for task_id in running:
            self._occupy(task_id, +1)
            self._set(task_id, TaskState.IN_PROGRESS)

    @property
    def is_over(self) -> bool:
        """Whether nothing runs and nothing will start any more."""
        if self._counts[TaskState.IN_PROGRESS] or self._counts[TaskState.RETRYING]:
            return False
        return self._draining or not self._counts[TaskState.READY]

    @property
    def slots_in_use(self) -> int:
        """How many places are taken."""
        return self._slots

    @property
    def is_draining(self) -> bool:
        """Whether no new attempt may begin."""
        return self._draining

    def state(self, task_id: str) -> TaskState:
        """Return where a task stands."""
        return self._states[task_id]

    def is_selected(self, task_id: str) -> bool:
        """Tell whether this run is to run a task."""
        return self._only is None or task_id in self._only

    def is_free(self, task_id: str) -> bool:
        """Tell whether a task waits although all it depends on has completed: something else keeps it."""
        waits = self._states[task_id] == TaskState.WAITING and self.is_selected(task_id)
        return waits and not self._missing[task_id]

    def count(self, state: TaskState) -> int:
        """Return how many tasks stand there."""
        return self._counts[state]

    def with_state(self, *states: TaskState) -> list[str]:
        """Return the tasks that stand there, in file order."""
        return [task_id for task_id, state in self._states.items() if state in states]

    def not_completed(self) -> list[str]:
        """Return the tasks that have not completed, in file order."""
        return [task_id for task_id, state in self._states.items() if state is not TaskState.COMPLETED]

    def blocked_by(self, task_id: str) -> tuple[str, ...]:
        """Return the failed tasks that a blocked one waits for in vain, directly or through others.

        They are the first that failed, at most ``MOST_BLOCKERS``.
        """
        return tuple(sorted(self._blockers.get(task_id, ())))

    def waits_for(self, task_id: str) -> list[str]:
        """Return the direct dependencies that are not completed yet."""
        needed = self._cascade.tasks[task_id].depends_on
        return [dependency for dependency in needed if self._states[dependency] != TaskState.COMPLETED]

    @property
    def left(self) -> int:
        """How many tasks have still to run to their end, those that run included."""
        return self._left

    def start_next(self) -> str | None:
        """Take the most urgent task that there is a place for, if any, and count it as in progress.

        Tasks of a full class are passed over. One that needs more slots than are free is not: others must not
        overtake it for ever.
        """
        if self._draining:
            return None
        for queue in self._ready.values():
            while queue and self._states[queue[0][1]] != TaskState.READY:  # completed or failed before this run
                heapq.heappop(queue)
        open_queues = [queue for name, queue in self._ready.items() if queue and not self._class_is_full(name)]
        if not open_queues:
            return None
        queue = min(open_queues)  # by its first task: no two have the same place
        _, chosen = queue[0]
        if self._slots and self._slots + self._size(chosen) > self.places:
            return None
        heapq.heappop(queue)
        self._occupy(chosen, +1)
        self._set(chosen, TaskState.IN_PROGRESS)
        return chosen

    def complete(self, task_id: str) -> None:
        """Note that a running task has completed: its dependants may become ready."""
        self._occupy(task_id, -1)
        self._set(task_id, TaskState.COMPLETED)
        self._release_dependents(task_id)

    def fail(self, task_id: str) -> list[str]:
        """Note that a running task has failed for good, and return those that this blocks, in file order.

        A task that names ``MOST_BLOCKERS`` already is not among them.
        """
        self._occupy(task_id, -1)
        self._set(task_id, TaskState.FAILED)
        return self._block_dependents(task_id)

    def retry_later(self, task_id: str) -> None:
        """Note that a running task is to be tried again after a pause; its place is free meanwhile."""
        self._occupy(task_id, -1)
        self._set(task_id, TaskState.RETRYING)

    def retry_now(self, task_id: str) -> None:
        """Note that the pause is over; what is barred, or depends on a task that runs again, waits."""
        if self._missing[task_id] or task_id in self._barred:
            self._wait(task_id)
            return
        self._set(task_id, TaskState.READY)
        heapq.heappush(self._ready[self._limited_class(task_id)], (self._cascade.order_key(task_id), task_id))

    def put_back(self, task_id: str) -> None:
        """Note that a running task was stopped before its end, or may not begin: it waits for the next run."""
        self._occupy(task_id, -1)
        self._wait(task_id)

    def give_back(self, task_id: str) -> None:
        """Note that a task that was to start has not: it is ready as before."""
        self._occupy(task_id, -1)
        self.retry_now(task_id)

    def drain(self) -> None:
        """Let nothing new begin."""
        self._draining = True
        for task_id in self.with_state(TaskState.RETRYING):
            self.retry_now(task_id)

    def bar(self, task_id: str) -> None:
        """Keep a task from beginning; one that runs goes on."""
        self._barred.add(task_id)
        if self._states[task_id] in (TaskState.READY, TaskState.RETRYING):
            self._wait(task_id)

    def unbar(self, task_id: str) -> None:
        """Let a task begin as any other."""
        self._barred.discard(task_id)
        self._make_ready_if_free(task_id)

    def reopen(self, task_ids: Collection[str]) -> None:
        """Note that completed and failed tasks are to run again: what depends on them and has not begun waits."""
        for task_id in task_ids:
            if self._states[task_id] == TaskState.COMPLETED:
                self._await_again(task_id)
            self.completed.discard(task_id)
            self.failed.discard(task_id)
            self._set(task_id, TaskState.WAITING)
        self._find_blocked()
        for task_id in task_ids:
            self._make_ready_if_free(task_id)

    def _set(self, task_id: str, state: TaskState) -> None:
        before = self._states[task_id]
        self._counts[before] -= 1
        self._counts[state] += 1
        if self.is_selected(task_id):
            self._left += (state in UNFINISHED) - (before in UNFINISHED)
        self._states[task_id] = state
        self.changed.add(task_id)
        if state == TaskState.COMPLETED:
            self.completed.add(task_id)
        elif state == TaskState.FAILED:
            self.failed.add(task_id)

    def _size(self, task_id: str) -> int:
        return self._cascade.tasks[task_id].options.slots

    def _limited_class(self, task_id: str) -> str | None:
        name = self._cascade.tasks[task_id].options.task_class
        return name if name in self._cascade.settings.classes else None

    def _class_is_full(self, name: str | None) -> bool:
        return name is not None and self._classes[name] >= self._cascade.settings.classes[name]

    def _occupy(self, task_id: str, by: int) -> None:
        self._slots += by * self._size(task_id)
        if name := self._cascade.tasks[task_id].options.task_class:
            self._classes[name] += by

    def _wait(self, task_id: str) -> None:
        self._set(task_id, TaskState.WAITING)
        if any(self._states[needed] in NEVER for needed in self.waits_for(task_id)):
            self._find_blocked()  # it was under way when that failed
        elif task_id in self._barred and self.is_free(task_id):
            self.came_to_bar.append(task_id)

    def _make_ready_if_free(self, task_id: str) -> None:
        if self.is_free(task_id):
            self.retry_now(task_id)

    def _await_again(self, task_id: str) -> None:
        for dependent in self._cascade.dependents(task_id):
            self._missing[dependent] += 1
            self.changed.add(dependent)
            if self._states[dependent] in (TaskState.READY, TaskState.RETRYING):
                self._set(dependent, TaskState.WAITING)

    def _release_dependents(self, task_id: str) -> None:
        for dependent in self._cascade.dependents(task_id):
            self._missing[dependent] -= 1
            self.changed.add(dependent)
            self._make_ready_if_free(dependent)

    def _find_blocked(self) -> None:
        """Find anew who waits for a failed task in vain."""
        self._blockers.clear()
        for task_id in self.with_state(TaskState.BLOCKED):
            self._set(task_id, TaskState.WAITING)
        for task_id in self.with_state(TaskState.FAILED):
            self._block_dependents(task_id)

    def _block_dependents(self, task_id: str) -> list[str]:
        waiting, blocked = [task_id], []
        while waiting:
            for dependent in self._cascade.dependents(waiting.pop()):
                blockers = self._blockers.setdefault(dependent, set())
                # With so many there is no need to look beyond: those that wait for it have been told of the same.
                if len(blockers) == MOST_BLOCKERS or task_id in blockers:
                    continue
                if self._states[dependent] in (TaskState.WAITING, TaskState.BLOCKED):
                    blockers.add(task_id)
                    self._set(dependent, TaskState.BLOCKED)
                    waiting.append(dependent)
                    blocked.append(dependent)
        return sorted(blocked, key=self._places.__getitem__)
