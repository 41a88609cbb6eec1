"""Whether the machine has memory for another attempt, where the plan says how much must be left. Pure."""

from collections.abc import Iterable

from nova_async._core.sizes import describe_size
from nova_async.orchestrator.actions import Action, ShortOfMemory
from nova_async.orchestrator.run_state import RunState
from nova_async.words import TaskState

__all__ = ["may_begin", "note_available", "wait_for_memory"]

LOOK_AGAIN = 5.0  # seconds between two looks while tasks wait for memory and nothing else happens


def note_available(state: RunState, available: int) -> None:
    """Take note of how many bytes are available now."""
    memory = state.memory
    was_short, memory.available = memory.is_short, available
    if memory.is_short != was_short:  # it is what they wait for, or no longer
        state.schedule.changed.update(state.schedule.with_state(TaskState.READY))


def may_begin(state: RunState) -> bool:
    """Tell whether another attempt may begin. One always may, or the run could wait for ever for what others use."""
    return not state.memory.is_short or not state.schedule.slots_in_use


def wait_for_memory(state: RunState, now: float) -> Iterable[Action]:
    """Arrange for another look if tasks wait for nothing but memory, and say so once."""
    memory, schedule = state.memory, state.schedule
    has_room = 0 < schedule.slots_in_use < schedule.places and not schedule.is_draining and not state.paused
    if not (memory.is_short and has_room and schedule.count(TaskState.READY)):
        memory.look_at = None
        return
    if memory.look_at is None or memory.look_at <= now:
        memory.look_at = now + LOOK_AGAIN
    if not memory.told:
        memory.told = True
        yield ShortOfMemory(
            f"only {describe_size(memory.available or 0)} of memory are available, and min_free_memory is "
            f"{describe_size(memory.wanted or 0)}: no further task starts until there is more, but one always runs"
        )
