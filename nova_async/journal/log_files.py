"""Opening a log that a state file or a journal names: never another file, whatever stands there."""

import io
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from nova_async._core.own_places import open_without_waiting
from nova_async.records import LogRef
from nova_async.views import TaskView

__all__ = ["log_of", "logs_by_name", "open_log", "open_own_log", "places_of", "why_no_log"]

SPELLED_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")


def open_log(ref: LogRef, places: Iterable[Path], log_dir: Path) -> io.FileIO | None:
    """Open that very log, in the first of the places where it is; None if it is in none of them.

    A repository may have brought the file that names it. So without the log's inode, which no repository can know,
    only a log in the user's own folder is opened.
    """
    for place in places:
        try:
            if ref.inode is None:
                if place.resolve().parent != log_dir.resolve():
                    continue
                return open_own_log(place)
            log = open_without_waiting(place)
        except (OSError, ValueError):
            continue
        found = os.fstat(log.fileno())
        if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) == (ref.device, ref.inode):
            return log
        log.close()
    return None


def open_own_log(path: Path) -> io.FileIO:
    """Open a log in the user's folder by its name.

    Raises ``OSError``, also for a link, which could lead to any file of the user.
    """
    return io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK))


def with_odd_bytes(path: str) -> str:
    r"""Return a path as the system knows it, whose bytes that are not UTF-8 the state file spells out (``l\xffgs``).

    A folder may also really be called so: only the log's inode tells which one is meant.
    """
    return SPELLED_BYTE.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), path)


def places_of(ref: LogRef, task_id: str, folder: Path, log_dir: Path) -> Iterator[Path]:
    """Give the places where a task's log may be by now; ``folder`` is that of the state file.

    A path may be relative to the folder in which the run was started: that of the state file, most often.
    """
    paths = [Path(ref.path), *([Path(with_odd_bytes(ref.path))] if ref.inode is not None else [])]
    places = [place for path in paths for place in (path, folder / path, log_dir / path.name)]
    for place in dict.fromkeys(places):
        yield place
        if ref.inode is not None:
            yield from logs_by_name(place.parent, task_id)


def logs_by_name(log_dir: Path, task_id: str) -> list[Path]:
    """Return a task's logs by their names, oldest first: ``F1~1.log``, ``F1~2.log`` …, and at last ``F1.log``."""
    older: dict[int, Path] = {}
    name = re.compile(rf"{re.escape(task_id)}~(\d{{1,9}})\.log", re.ASCII)
    for path in log_dir.glob("*~*.log"):
        if found := name.fullmatch(path.name):
            older[int(found[1])] = path
    newest = log_dir / f"{task_id}.log"
    return [*(older[number] for number in sorted(older)), *([newest] if newest.exists() else [])]


def log_of(task: TaskView, number: int) -> LogRef | None:
    """Return which log an attempt has; None if it has none, not yet or never."""
    last = task.attempts[-1]
    if number == last.start.id.number and last.end is None:
        return task.log
    return next((found.end.log for found in task.attempts if found.end and found.start.id.number == number), None)


def why_no_log(task: TaskView, number: int, log_dir: Path) -> str:
    """Say why the log of an attempt cannot be opened: there is none, not yet or never, or it is no longer there."""
    attempts = {attempt.start.id.number: attempt for attempt in task.attempts}
    if not attempts:
        return f"{task.id} has not run yet{f': {task.reason}' if task.reason else ''}"
    if number not in attempts:
        return f"{task.id} has no attempt {number}, only {', '.join(map(str, sorted(attempts)))}"
    ref, end = log_of(task, number), attempts[number].end
    if ref is None:
        why = f"it ended before there was one ({end.outcome})" if end else "it has only just started"
        return f"attempt {number} of {task.id} has no log: {why}"
    there = log_dir / Path(ref.path).name
    is_file = os.path.isfile(there) and not os.path.islink(there)  # noqa: PTH113, PTH114 - raise for no name
    other = f"; {there} is another file, or a copy of it" if is_file else ""
    return f"the log of attempt {number} of {task.id} is no longer in {Path(ref.path).parent}/{other}"
