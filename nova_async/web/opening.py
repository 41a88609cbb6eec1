"""Opening the logs of a run, whether it is running or of the past: never another file, whatever its files name."""

import asyncio
import contextlib

from nova_async._core.threads import DISK_THREADS, close_what_was_opened
from nova_async.control.board import Board
from nova_async.errors import JournalError
from nova_async.journal.log_files import log_of, open_log, places_of
from nova_async.journal.reader import JournalReader
from nova_async.records import Attempt
from nova_async.views import TaskView
from nova_async.web.logs import Log
from nova_async.web.source import Places

__all__ = ["opened"]


async def opened(board: Board, places: Places, task_id: str, number: int | None = None) -> Log | None:
    """Open the log of an attempt, without a number the latest one's; None if it has none, or it is gone."""
    opening = DISK_THREADS.submit(open_in, board, places, task_id, number)
    try:
        return await asyncio.wrap_future(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close_what_was_opened)
        raise


def open_in(board: Board, places: Places, task_id: str, number: int | None) -> Log | None:
    """Open the log of an attempt; it waits for the disk."""
    if (task := board.tasks.get(task_id)) is None:
        return None
    if task.earlier is not None and number is not None:
        with contextlib.suppress(JournalError):  # the latest are known without it
            task = JournalReader(places.journal).with_all_attempts(task, board.run.run_id)
    attempt = attempt_in(task, number)
    if attempt is None:
        return None
    found = attempt.start.id.number
    ref = log_of(task, found)
    if ref is None:
        return None
    file = open_log(ref, places_of(ref, task_id, places.state.parent, places.log_dir), places.log_dir)
    if file is None:
        return None
    return Log(file, task_id, found, attempt.start.agent, is_over=attempt.end is not None or board.is_over)


def attempt_in(task: TaskView, number: int | None) -> Attempt | None:
    """Return an attempt of a task, without a number the latest; None if there is no such."""
    if number is None:
        return task.attempts[-1] if task.attempts else None
    return next((found for found in task.attempts if found.start.id.number == number), None)
