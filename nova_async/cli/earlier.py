"""What earlier runs in this place mean for a plan: said before anything is skipped because of them."""

import asyncio
from pathlib import Path

from nova_async.cascade import Cascade
from nova_async.errors import NovaError
from nova_async.journal.journal import Journal
from nova_async.orchestrator.reporting import digest

__all__ = ["notes_on_earlier_runs"]


def notes_on_earlier_runs(cascade: Cascade, journal: Path) -> list[str]:
    """Return a sentence for each way in which the journal may surprise: another plan, another prompt."""
    if not journal.exists():
        return []
    try:
        history = asyncio.run(Journal.read(journal))
    except NovaError:
        return []  # whoever opens it for a run says what is wrong with it
    done = {
        task_id: attempt.start
        for task_id, attempts in history.counted.items()
        for attempt in attempts
        if task_id in cascade.tasks and attempt.end is not None and attempt.end.outcome == "ok"
    }
    notes = []
    plan = history.runs[-1].cascade_file if history.runs else ""
    if done and plan and Path(plan).name != Path(cascade.name).name:
        notes.append(
            f"{journal} is of {plan}: {len(done)} tasks of this plan count as completed because of it; "
            "--fresh begins anew, --journal takes another"
        )
    changed = [task_id for task_id, start in done.items() if start.prompt_digest != digest(cascade.tasks[task_id])]
    if changed:
        names = ", ".join(changed[:10]) + (" …" if len(changed) > 10 else "")
        notes.append(f"completed with another prompt, and not run again unless told to (nova retry): {names}")
    return notes
