"""What is known of a running attempt that a decision may depend on. Pure."""

from collections.abc import Iterator

from nova_async.orchestrator.happenings import Gauged, Happening, Served, Spent
from nova_async.orchestrator.run_state import RunState
from nova_async.records import AttemptFacts

__all__ = ["noticed"]


def noticed(state: RunState, task_id: str, facts: AttemptFacts) -> Iterator[Happening]:
    """Yield what happens to a run by what is new about one of its attempts."""
    if facts.usage.total and task_id in state.trying.values():
        yield Served(task_id)
    if facts.gauges and facts.gauges != state.gauges_of.get(task_id):
        yield Gauged(task_id, facts.gauges)
    if state.has_budget(task_id):
        yield Spent.by(task_id, facts)
