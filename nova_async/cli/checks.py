"""What `nova doctor` checks on the machine and in the folder."""

import os
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from nova_async._core.moments import day_and_time
from nova_async.attempt.checkout import is_in_checkout
from nova_async.cli.ink import colours_of, is_terminal
from nova_async.cli.places import JOURNAL, LOG_DIR, STATE_FILE
from nova_async.errors import JournalError
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator.readiness import LEAST_ROOM, LITTLE_ROOM, clock_problem, folder_problem, room_left

__all__ = ["Check", "Verdict", "check_folder", "check_machine"]

FEW_DESCRIPTORS = 1024  # a task takes some ten, so this is for a hundred at once


class Verdict(StrEnum):
    """The result of a check."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, but nothing fails because of it."""
    PROBLEM = "problem"
    """A run will fail."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    name: str
    verdict: Verdict
    text: str
    cure: str = ""
    """What to do about it."""
    facts: Mapping[str, str | None] = field(default_factory=dict)
    """The same for programs."""


def check_folder(folder: Path) -> Iterator[Check]:
    """Check the folder that runs write in, and its disk."""
    places = {"logs": folder / LOG_DIR, "state file": folder / STATE_FILE, "journal": folder / JOURNAL}
    problems = [problem for what, path in places.items() if (problem := folder_problem(what, path.parent)) is not None]
    if problems:
        yield Check("folder", Verdict.PROBLEM, problems[0])
    else:
        yield Check("folder", Verdict.OK, f"{folder} is writable")
    if (folder / JOURNAL).exists():
        yield check_journal(folder / JOURNAL)
    if shutil.which("git") is None:
        yield Check("git", Verdict.NOTE, "not installed: nova cannot tell which files a task changed")
    elif not is_in_checkout(folder):
        yield Check(
            "git", Verdict.NOTE, "not a git checkout: nova cannot tell which files a task changed", "`git init`"
        )
    else:
        yield Check("git", Verdict.OK, "a git checkout")
    left = room_left(folder)
    if left is None:
        yield Check("disk", Verdict.NOTE, "free space unknown")
    else:
        is_little = Verdict.PROBLEM if left < LEAST_ROOM else Verdict.NOTE if left < LITTLE_ROOM else Verdict.OK
        cure = "" if is_little is Verdict.OK else "free some space for logs and journal"
        yield Check(
            "disk", is_little, f"{left / (1 << 30):.1f} GB free" if left >= 1 << 30 else f"{left >> 20} MB free", cure
        )


def check_journal(journal: Path) -> Check:
    """Check that the journal of earlier runs can be read."""
    try:
        runs = len(JournalReader(journal).runs())
    except JournalError as error:
        return Check("journal", Verdict.PROBLEM, str(error))
    return Check("journal", Verdict.OK, f"{runs} run{'s' if runs != 1 else ''} in {JOURNAL}")


def check_machine() -> Iterator[Check]:
    """Check what does not depend on the folder."""
    now = datetime.now(UTC)
    problem = clock_problem(now)
    yield Check("clock", Verdict.OK if problem is None else Verdict.PROBLEM, problem or day_and_time(now))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard in (resource.RLIM_INFINITY, -1):
        yield Check("descriptors", Verdict.OK, "no limit on open files")
    elif hard >= FEW_DESCRIPTORS:
        yield Check("descriptors", Verdict.OK, f"up to {hard} open files")
    else:
        cure = f"`ulimit -n {FEW_DESCRIPTORS}`, for many tasks at once"
        yield Check("descriptors", Verdict.NOTE, f"only {hard} open files", cure)
    yield check_processes()
    yield check_terminal()


def check_processes() -> Check:
    """Check which system interfaces there are for finding processes and waiting for them."""
    ways = {"/proc": Path("/proc/self/stat").exists(), "pidfd": has_pidfd()}
    missing = [way for way, is_there in ways.items() if not is_there]
    if not missing:
        return Check("processes", Verdict.OK, "/proc and pidfd")
    return Check("processes", Verdict.NOTE, f"without {' and '.join(missing)}: finding processes is slower")


def has_pidfd() -> bool:
    """Tell whether the kernel, and whatever sandbox we are in, lets us wait for any process."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def check_terminal() -> Check:
    """Check the terminal that a run would be shown on."""
    if not is_terminal(sys.stdout):
        return Check("terminal", Verdict.OK, "none: a run prints lines instead of a table")
    size = shutil.get_terminal_size()
    colours = colours_of(sys.stdout).name.lower()
    return Check("terminal", Verdict.OK, f"{size.columns} by {size.lines}, {colours} colours, {sys.stdout.encoding}")
