"""What earlier runs in this place mean for a plan: said before anything is skipped because of them."""

from pathlib import Path
from typing import TYPE_CHECKING

from nova_async.cascade import Cascade
from nova_async.errors import NovaError
from nova_async.words import Outcome

if TYPE_CHECKING:
    from nova_async.journal.history import History
    from nova_async.orchestrator.outlook import Outlook

__all__ = ["earlier_runs", "next_run", "notes_on_earlier_runs"]

MOST_NAMED = 10  # tasks in one line


def notes_on_earlier_runs(cascade: Cascade, journal: Path) -> list[str]:
    """Return a sentence for each way in which the journal may surprise: completed tasks have other prompts by now."""
    if not journal.exists():
        return []
    from nova_async.journal.plan_key import plan_key  # most plans have not run yet, and need no SQLite
    from nova_async.journal.reader import JournalReader
    from nova_async.orchestrator.reporting import digest

    try:
        known = JournalReader(journal).attempts(plan_key(Path(cascade.name), journal))
    except NovaError:
        return []  # the run that opens it says what is wrong with it
    done = {
        attempt.start.id.task_id: attempt.start.prompt_digest
        for attempt in known
        if attempt.counts and attempt.end is not None and attempt.end.outcome is Outcome.OK
    }
    changed = [task_id for task_id, mark in done.items()
               if task_id in cascade.tasks and mark != digest(cascade.tasks[task_id])]  # fmt: skip
    return [describe_changed(changed)] if changed else []


def earlier_runs(cascade: Cascade, journal: Path, state_file: Path, *, trusts: bool = False) -> "History":
    """Read what a journal knows of a plan; where that is nothing, what the original has left in the state file.

    Raises ``JournalError`` for one that cannot be read, and, unless ``trusts``, for one that was written elsewhere.
    """
    from nova_async.journal.history import History
    from nova_async.journal.plan_key import plan_key
    from nova_async.journal.reader import JournalReader
    from nova_async.orchestrator.original import with_original

    plan = plan_key(Path(cascade.name), journal)
    if journal.exists() and not trusts:
        JournalReader(journal).require_ours()
    history = JournalReader(journal).history(plan) if journal.exists() else History()
    return with_original(history, cascade, state_file, plan=plan)


def next_run(cascade: Cascade, journal: Path, state_file: Path) -> "Outlook | None":
    """Return what the next run would do, after earlier ones; None where there were none."""
    if not journal.exists() and not state_file.exists():
        return None
    from nova_async.orchestrator.outlook import look_ahead

    try:
        return look_ahead(
            cascade, earlier_runs(cascade, journal, state_file), folder_of=lambda cwd: str(Path(cwd).absolute())
        )
    except NovaError:
        return None  # the run that opens it says what is wrong with it


def describe_changed(task_ids: list[str]) -> str:
    """Say that completed tasks have other prompts by now, and what to do about it."""
    if len(task_ids) == 1:
        return f"{task_ids[0]}'s prompt changed since it completed; skipped. `nova retry {task_ids[0]}` runs it again"
    names = ", ".join(task_ids[:MOST_NAMED]) + (" …" if len(task_ids) > MOST_NAMED else "")
    return f"prompts changed since these completed; skipped: {names}. `nova retry TASK…` runs them again"
