"""What the next run will find of a run that has died, before anybody has written it down."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nova_async.cascade import RunSettings
from nova_async.journal.history import History
from nova_async.journal.writing import lost_end
from nova_async.orchestrator.remains import environment_then, remains_of
from nova_async.orchestrator.sessions import used_in
from nova_async.prices import Prices
from nova_async.process.boot import is_over
from nova_async.process.signalling import is_still
from nova_async.process.table import TABLE, ProcessId
from nova_async.records import Attempt

__all__ = ["with_lost_ends"]


def with_lost_ends(history: History, settings: RunSettings, root: Path) -> History:
    """Return a history in which attempts whose supervisor died have the ends that the next run gives them.

    Nothing is written or ended, and no prices are fetched. It reads the logs of these attempts, and the files of their
    sessions. ``root`` is the folder that relative paths of the settings start from.
    """
    dead = {
        run.run_id
        for run in history.unfinished_runs
        if is_over(run.boot) or not is_still(TABLE, ProcessId(run.pid, run.pid_start_time))
    }
    if not dead:
        return history
    prices, now = Prices(settings.prices, listed=False), datetime.now(UTC)

    def ended(attempt: Attempt, earlier: tuple[Attempt, ...]) -> Attempt:
        start = attempt.start
        if attempt.end is not None or start.id.run_id not in dead:
            return attempt
        past = history.earlier.get(start.id.task_id)
        before = used_in(start.resumes, earlier, past) if start.resumes is not None else None
        remains = None
        if attempt.finished is None:
            remains = remains_of(attempt, before, prices, environment_then(start, settings, root))
        return replace(attempt, end=lost_end(attempt, remains, start.started_at, now))

    found = {
        task_id: tuple(ended(attempt, attempts[:place]) for place, attempt in enumerate(attempts))
        for task_id, attempts in history.attempts.items()
    }
    return replace(history, attempts=found)
