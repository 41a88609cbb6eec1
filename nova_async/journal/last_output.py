"""When a running agent last printed something: its log was written then, so nothing else has to write that down."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nova_async.views import TaskView
from nova_async.words import Phase, TaskState

__all__ = ["with_last_output"]


def with_last_output(task: TaskView, folder: Path) -> TaskView:
    """Return a task with the moment of its agent's last output, where its agent runs on this machine.

    Before the first output that is the moment of its start. ``folder`` is where the run was started, from which the
    log's path may go.
    """
    log, since = task.log, task.phase_since
    if task.state is not TaskState.IN_PROGRESS or task.phase is not Phase.RUN or log is None or since is None:
        return task
    try:
        facts = (folder / log.path).stat()
        written = datetime.fromtimestamp(facts.st_mtime, UTC)
    except (OSError, OverflowError, ValueError):  # it is gone, or its time is no time
        return task
    if (facts.st_dev, facts.st_ino) != (log.device, log.inode):
        return task
    return replace(task, last_output_at=max(written, since))
