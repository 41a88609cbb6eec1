"""The files that every command knows by the same name unless told otherwise, and the folder that they are in."""

from collections.abc import Sequence
from pathlib import Path

import click

from nova_async._core.advice import PLAN
from nova_async._core.own_places import JOURNAL, LOG_DIR, STATE_FILE

__all__ = ["JOURNAL", "LOG_DIR", "PLAN", "STATE_FILE", "folder_and_task", "folder_and_tasks", "place_in"]


def folder_and_tasks(words: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """Tell the folder of a run from tasks in ``[DIR] [TASK…]``: no task's id has a slash, or is a dot.

    A task that is named twice is meant once.
    """
    if words and ("/" in words[0] or words[0] in (".", "..")):
        return Path(words[0]), tuple(dict.fromkeys(words[1:]))
    return Path(), tuple(dict.fromkeys(words))


def folder_and_task(words: Sequence[str]) -> tuple[Path, str]:
    """Tell the folder of a run from the one task in ``[DIR] TASK``; raises ``click.UsageError`` for none or several."""
    folder, tasks = folder_and_tasks(words)
    if len(tasks) != 1:
        raise click.UsageError(f"one TASK at a time, not {', '.join(tasks)}" if tasks else "Missing argument 'TASK'.")
    (task,) = tasks
    return folder, task


def place_in(folder: Path, usual: str, named: str | None) -> Path:
    """Return where a file of a run is: where somebody says, or else in the usual place of its folder."""
    return folder / usual if named is None else Path(named)
