"""What earlier runs in this place mean for a plan: said before anything is skipped because of them."""

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nova_async._core.text import listed
from nova_async.cascade import Cascade, CascadeError, load_cascade
from nova_async.cascade.load import find_settings
from nova_async.errors import NovaError

if TYPE_CHECKING:
    from nova_async.journal.history import History
    from nova_async.orchestrator.outlook import Outlook

__all__ = ["earlier_runs", "next_run", "note_on_growth", "notes_on_earlier_runs", "retry_command"]

MOST_NAMED = 10  # tasks in one line


def notes_on_earlier_runs(cascade: Cascade, journal: Path) -> list[str]:
    """Return a sentence for each way in which the journal may surprise.

    Completed tasks have other prompts by now, or the plan has tasks that it did not have when it was last run.
    """
    if not journal.exists():
        return []
    from nova_async.journal.plan_key import plan_key  # most plans have not run yet, and need no SQLite
    from nova_async.journal.reader import JournalReader
    from nova_async.orchestrator.reporting import digest

    reader, plan = JournalReader(journal), plan_key(Path(cascade.name), journal)
    try:
        done, planned = reader.completed(plan), reader.planned(plan)
    except NovaError:
        return []  # the run that opens it says what is wrong with it
    changed = [task_id for task_id, mark in done.items()
               if task_id in cascade.tasks and mark != digest(cascade.tasks[task_id])]  # fmt: skip
    few = changed if len(changed) <= MOST_NAMED else ["TASK…"]
    notes = [describe_changed(changed, retry_command(cascade, journal, *few))] if changed else []
    if planned is not None and (new := [task_id for task_id in cascade.tasks if task_id not in planned]):
        notes.append(f"new in the plan since the last run: {listed(new, MOST_NAMED)}")
    return notes


def note_on_growth(cascade: Cascade, since: datetime, again: str) -> str | None:
    """Say which tasks the plan has got since then: an agent may have planned more; None where there are none."""
    path = Path(cascade.name)
    try:
        if path.stat().st_mtime < since.timestamp():
            return None
        now = load_cascade(path, settings=find_settings(".", path.parent))
    except (OSError, CascadeError):
        return None  # the next run says what is wrong with it
    new = [task_id for task_id in now.tasks if task_id not in cascade.tasks]
    return f"new in the plan since this run began: {listed(new, MOST_NAMED)}; `{again}` runs them" if new else None


def earlier_runs(
    cascade: Cascade, journal: Path, state_file: Path, *, trusts: bool = False, root: Path = Path()
) -> "History":
    """Read what a journal knows of a plan; where that is nothing, what the original has left in the state file.

    What a run that has died left behind is read as the next one will. ``root`` is the folder where agents work.
    Raises ``JournalError`` for one that cannot be read, and, unless ``trusts``, for one that was written elsewhere.
    """
    from nova_async.journal.history import History
    from nova_async.journal.plan_key import plan_key
    from nova_async.journal.reader import JournalReader
    from nova_async.orchestrator.foreseen import with_lost_ends
    from nova_async.orchestrator.original import with_original

    plan = plan_key(Path(cascade.name), journal)
    if journal.exists() and not trusts:
        JournalReader(journal).require_ours()
    history = JournalReader(journal).history(plan) if journal.exists() else History()
    return with_original(with_lost_ends(history, cascade.settings, root), cascade, state_file, plan=plan)


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


def retry_command(cascade: Cascade, journal: Path, *task_ids: str) -> str:
    """Return the command that lets tasks run again; it names the plan, unless that is the one that was run last."""
    from nova_async.journal.plan_key import plan_key
    from nova_async.journal.reader import JournalReader

    latest = JournalReader(journal).runs(limit=1) if journal.exists() else []
    is_latest = bool(latest) and latest[0].start.plan == plan_key(Path(cascade.name), journal)
    named = "" if is_latest else f" --plan {shlex.quote(cascade.name)}"
    return f"nova retry {' '.join(task_ids)}{named}"


def describe_changed(task_ids: list[str], command: str) -> str:
    """Say that completed tasks have other prompts by now, and which command runs them again."""
    if len(task_ids) == 1:
        return f"{task_ids[0]}'s prompt changed since it completed; skipped. `{command}` runs it again"
    names = ", ".join(task_ids[:MOST_NAMED]) + (" …" if len(task_ids) > MOST_NAMED else "")
    return f"prompts changed since these completed; skipped: {names}. `{command}` runs them again"
