"""Ending a run early: nothing new begins, and what runs is asked to end. Pure."""

from collections.abc import Iterable

from nova_async.orchestrator.actions import Action, StopTask
from nova_async.orchestrator.run_state import RunState
from nova_async.words import TaskState

__all__ = ["drain", "stop"]


def stop(state: RunState, grace: float | None) -> Iterable[Action]:
    """Let nothing new begin, and ask what runs to end: within so many seconds, or each within its task's own grace."""
    state.stopping = True
    drain(state)
    for task_id in state.schedule.with_state(TaskState.IN_PROGRESS):
        yield StopTask(task_id, state.cascade.tasks[task_id].options.grace if grace is None else grace)


def drain(state: RunState) -> None:
    """Let nothing new begin; what runs goes on."""
    state.pauses.clear()
    state.paused_until.clear()
    state.schedule.drain()
