"""``nova logs``: what a task printed, as it printed it; and what it still prints."""

import os
import re
import sys
import time
from pathlib import Path
from typing import BinaryIO

import typer

from nova_async.cascade.diagnostics import did_you_mean
from nova_async.cli.state import RunState, StateError

__all__ = ["attempts_of", "show_log"]

CHUNK = 64 * 1024  # bytes
LOOK_AGAIN = 0.2  # seconds; another process writes the file, and nothing portable would wake us
ASK_EVERY = 5  # looks in vain between two questions to the state file, which may be large
BAD_INPUT = 2


def attempts_of(log_dir: Path, task_id: str) -> list[Path]:
    """Return the task's logs, oldest first: ``F1~1.log``, ``F1~2.log`` …, and at last ``F1.log``."""
    older: dict[int, Path] = {}
    name = re.compile(rf"{re.escape(task_id)}~(\d+)\.log", re.ASCII)
    for path in log_dir.glob("*~*.log"):
        if found := name.fullmatch(path.name):
            older[int(found[1])] = path
    newest = log_dir / f"{task_id}.log"
    return [*(older[number] for number in sorted(older)), *([newest] if newest.exists() else [])]


def show_log(task_id: str, *, follow: bool, attempt: int | None, log_dir: str, state: Path) -> int:
    """Write a log to our output, following it if asked to; return the exit code."""
    directory = Path(log_dir)
    logs = attempts_of(directory, task_id)
    waits = follow and attempt is None and is_to_come(state, task_id)
    if not logs and not waits:
        typer.echo(f"nova: {describe_absence(directory, task_id)}", err=True)
        return BAD_INPUT
    if attempt is not None and not 1 <= attempt <= len(logs):
        typer.echo(f"nova: {task_id} has {len(logs)} logged attempts; there is no number {attempt}", err=True)
        return BAD_INPUT
    try:
        if attempt is not None and attempt < len(logs):
            with logs[attempt - 1].open("rb") as log:
                copy(log)
        else:
            follow_log(directory / f"{task_id}.log", state if follow else None, task_id)
    except BrokenPipeError:
        # Whoever read us has seen enough; what Python flushes at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        typer.echo(f"nova: cannot read {error.filename or directory}: {error.strerror or error}", err=True)
        return BAD_INPUT
    return 0


def follow_log(path: Path, state: Path | None, task_id: str) -> None:
    """Write the newest log; with ``state``, go on while the task is under way, also to the logs of its next attempts.

    A new attempt moves the log aside and begins a new one of the same name: the open one is read to its end first.
    """
    log = wait_for(path, state, task_id)
    if log is None:
        return
    silent = 0
    try:
        while True:
            silent = 0 if copy(log) else silent + 1
            if state is None:
                return
            if is_moved_aside(log, path):
                following = path.open("rb")
                copy(log)
                log.close()
                log, silent = following, 0
            elif silent % ASK_EVERY == 1 and not is_to_come(state, task_id) and not is_moved_aside(log, path):
                if not copy(log):  # asked before this last look, so that nothing is missed
                    return
            else:
                time.sleep(LOOK_AGAIN)
    finally:
        log.close()


def wait_for(path: Path, state: Path | None, task_id: str) -> BinaryIO | None:
    """Open the log, once it is there; None if the task ended without one."""
    while True:
        ended = state is None or not is_to_come(state, task_id)
        try:
            return path.open("rb")
        except FileNotFoundError:
            if ended:
                return None
        time.sleep(LOOK_AGAIN)


def copy(log: BinaryIO) -> int:
    """Write to our output what is new in the log, byte for byte; return how many bytes that were."""
    copied = 0
    output = sys.stdout.buffer
    while chunk := log.read(CHUNK):
        output.write(chunk)
        copied += len(chunk)
    if copied:
        output.flush()
    return copied


def is_moved_aside(log: BinaryIO, path: Path) -> bool:
    """Tell whether another file has the log's name by now."""
    try:
        return not os.path.samestat(os.fstat(log.fileno()), path.stat())
    except FileNotFoundError:
        return False  # between two attempts


def is_to_come(state: Path, task_id: str) -> bool:
    """Tell whether more of this task is to be expected: it runs, or a living run has not come to its end."""
    try:
        run = RunState.read(state)
    except (OSError, StateError):
        return False
    task = run.tasks.get(task_id)
    if task is None or run.is_alive is False:
        return False
    if task.status == "in_progress":
        return True
    return task.status == "pending" and run.is_alive is True and not task.blocked_by


def describe_absence(log_dir: Path, task_id: str) -> str:
    """Say that there is no such log, and which one may have been meant."""
    known = sorted({path.stem.partition("~")[0] for path in log_dir.glob("*.log")})
    if not known:
        return f"no log of {task_id}: there are no logs in {log_dir}/"
    return f"no log of {task_id} in {log_dir}/{did_you_mean(task_id, known)}"
