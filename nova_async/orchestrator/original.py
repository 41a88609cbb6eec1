"""Taking over what the original has completed, for a plan that has never run with us."""

from dataclasses import replace
from pathlib import Path

from nova_async.cascade import Cascade
from nova_async.journal.history import History
from nova_async.journal.original import keep_original, original_results
from nova_async.orchestrator.reporting import digest

__all__ = ["save_original", "with_original"]


def with_original(history: History, cascade: Cascade, state_file: Path, *, plan: str, run_id: str = "") -> History:
    """Return what is known of a plan; of one that no run of ours knows, what its state file of the original tells."""
    if history.runs:
        return history
    digests = {task.id: digest(task) for task in cascade.tasks.values()}
    found = original_results(state_file, plan, run_id, digests)
    return replace(history, attempts={task_id: (attempt,) for task_id, attempt in found.items()})


def save_original(state_file: Path, taken_over: int) -> str | None:
    """Keep the original's state file, whose place ours takes, and say what was made of it; None where there is none."""
    try:
        copy = keep_original(state_file)
    except OSError as error:
        return f"{state_file} of the original could not be saved: {error.strerror or error}"
    if copy is None:
        return None
    kept = f"{state_file} was written by the original; it is kept as {copy}"
    return f"{kept}. Tasks completed there are skipped: {taken_over} (--fresh runs them)" if taken_over else kept
