"""Where the run is that a command is about, so that the commands it advises find it: pasted as they stand."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nova_async._core.advice import HERE, Place
from nova_async.cli.ink import Line
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE
from nova_async.views import TaskView
from nova_async.words import TaskState

__all__ = ["advise_line", "advise_tasks", "place_of", "seen_from"]

USUAL = {"--journal": JOURNAL, "--state": STATE_FILE, "--log-dir": LOG_DIR, "--cwd": "."}


def place_of(
    folder: Path | str = ".",
    *,
    journal: str | None = None,
    state: str | None = None,
    log_dir: str | None = None,
    cwd: str | None = None,
) -> Place:
    """Return where a run is, by what the command line names; what is named by its usual name alone is not needed.

    Somebody who names one file with its usual name in another folder means the run of that folder.
    """
    folder, named = Path(folder), {"--journal": journal, "--state": state, "--log-dir": log_dir, "--cwd": cwd}
    files = {option: file for option, file in named.items() if file is not None}
    if folder == Path() and len(files) == 1:
        [(option, file)] = files.items()
        usual = Path(USUAL[option])
        if option in ("--journal", "--state") and Path(file).parts[-len(usual.parts) :] == usual.parts:
            folder = Path(*Path(file).parts[: -len(usual.parts)])
    unusual = {option: file for option, file in files.items() if Path(file) != folder / USUAL[option]}
    if folder != Path():  # from where the command then runs
        unusual = {option: os.path.abspath(file) for option, file in unusual.items()}  # noqa: PTH100 - links stay
    return Place(str(folder), tuple(unusual.items()))


def seen_from(place: Place, plan: Path | str | None) -> str:
    """Return the path of a plan as seen from the folder of its run."""
    if plan is None or Path(plan) == Path():
        return ""
    path, folder = Path(plan), Path(place.folder)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def advise_line(line: Line, place: Place) -> Line:
    """Complete the commands in a line of ours."""
    if place == HERE:
        return line
    if isinstance(line, str):
        return place.advice(line)
    return [
        place.advice(span) if isinstance(span, str) else span._replace(text=place.advice(span.text)) for span in line
    ]


def advise_tasks(tasks: Mapping[str, TaskView], place: Place) -> Mapping[str, TaskView]:
    """Complete the commands in why tasks do not run; what an agent says of itself stays as it is."""
    if place == HERE:
        return tasks
    return {
        task.id: replace(task, reason=place.advice(task.reason))
        if task.reason and task.state is not TaskState.IN_PROGRESS else task
        for task in tasks.values()
    }  # fmt: skip
