"""How the tasks of a run look at any moment: each view is made when it is asked for, and once for each change."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import final

from nova_async.orchestrator import reporting
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.pacing import gauges_now
from nova_async.orchestrator.run_state import RunState
from nova_async.views import RunView, TaskView
from nova_async.words import TaskState

__all__ = ["Picture"]


@final
class Picture:
    """The views of all tasks. ``state`` says where the run stands, ``is_over`` whether it has ended."""

    def __init__(
        self, known: Mapping[str, TaskKnown], state: Callable[[], RunState], is_over: Callable[[], bool]
    ) -> None:
        self._known = known
        self._state = state
        self._is_over = is_over
        self._views: dict[str, TaskView] = {}
        self._stale = set(known)

    def touch(self, task_ids: Iterable[str]) -> None:
        """Note that something about these tasks has changed."""
        self._stale.update(task_ids)

    def views(self, running: Iterable[str]) -> Mapping[str, TaskView]:
        """Return how all tasks look, in the order of the plan; the clocks of those that run go on by themselves."""
        self._stale.update(running)
        self._renew(self._stale)
        return MappingProxyType(self._views.copy())  # they stay as they were seen

    def view(self, task_id: str) -> TaskView:
        """Return how one task looks at this moment."""
        if task_id in self._stale or self._known[task_id].placed is not None:
            self._renew((task_id,))
        return self._views[task_id]

    def _renew(self, task_ids: Iterable[str]) -> None:
        # The first time all of them: they are kept in the order of the plan.
        renewed = {task_id: self._look(task_id) for task_id in (task_ids if self._views else self._known)}
        self._views.update(renewed)
        self._stale.difference_update(renewed)

    def counts(self) -> dict[str, int]:
        """Return how many tasks there are, and how many of them stand where: ``total_tasks completed failed …``."""
        counted = (TaskState.COMPLETED, TaskState.FAILED, TaskState.IN_PROGRESS)
        counts = {str(state): self._state().schedule.count(state) for state in counted}
        return {"total_tasks": len(self._known), **counts, "pending": len(self._known) - sum(counts.values())}

    def of_run(self, run: RunView) -> RunView:
        """Add to what is written down of the run how it stands at this moment."""
        state = self._state()
        is_over = self._is_over()
        return replace(
            run, max_workers=state.max_workers, is_paused=state.paused and not is_over,
            is_stopping=state.stopping and not is_over,
            holds=state.holds_now(), budgets=state.budgets_now(), gauges=gauges_now(state),
        )  # fmt: skip

    def _look(self, task_id: str) -> TaskView:
        state = self._state()
        schedule, where = state.schedule, state.schedule.state(task_id)
        blocked_by, retry_at = schedule.blocked_by(task_id), None
        if (moment := state.retry_at(task_id)) is not None:
            left = moment - asyncio.get_running_loop().time()
            retry_at = datetime.now(UTC) + timedelta(seconds=left)
        hold = state.hold_of(task_id)
        if hold is not None and hold.until is not None:
            retry_at = hold.until
        kept = state.budget_reason(task_id)
        if hold is not None:
            kept = hold.reason if self._is_over() else hold.waits_for or hold.reason
        is_stopped, needs_approval = state.is_stopped(task_id), state.needs_approval(task_id)
        if is_stopped or needs_approval:
            kept = reporting.told_to_go_on(task_id, is_stopped=is_stopped, over=self._is_over())
        why = reporting.reason(
            where, blocked_by, schedule.waits_for(task_id), kept, over=self._is_over(),
            selected=schedule.is_selected(task_id), is_short_of_memory=state.memory.is_short, is_paused=state.paused,
        )  # fmt: skip
        view = self._known[task_id].view(where, blocked_by, why, retry_at)
        if is_stopped or needs_approval:
            view = replace(view, is_stopped=is_stopped, needs_approval=needs_approval)
        return view if schedule.is_selected(task_id) else replace(view, is_selected=False)
