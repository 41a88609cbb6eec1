"""What git says of a task's folder: where it stands, and which files an attempt has changed."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

__all__ = ["Checkout", "look_at_checkout"]

GIT_SECONDS = 20.0  # a huge working tree takes seconds; one that takes longer is not worth a finished task's waiting
MOST_FILES = 1000  # named in the state file; an attempt that changes more has most likely changed a whole folder


@final
@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree at one moment."""

    folder: Path
    head: str | None
    """The commit it stands on; None before the first."""
    dirty: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Files that differ from it, with size in bytes and time of the last change in nanoseconds."""

    async def files_changed_since(self, before: "Checkout") -> tuple[str, ...]:
        """Return the files that changed since an earlier look, committed or not, sorted; at most 1,000."""
        changed = {name for name in {*self.dirty, *before.dirty} if self.dirty.get(name) != before.dirty.get(name)}
        if self.head != before.head and self.head is not None:
            committed = ["diff", "--name-only", "-z", before.head or EMPTY_TREE, self.head]
            changed.update(await git(self.folder, *committed) or ())
        return tuple(sorted(changed)[:MOST_FILES])


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's name for a tree without files, in every repository


async def look_at_checkout(folder: Path) -> Checkout | None:
    """Look at the checkout that a folder lies in; None where it lies in none, or git is not to be had."""
    if not is_in_checkout(folder):
        return None
    status = await git(folder, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    top = await git(folder, "rev-parse", "--show-toplevel")
    if status is None or not top:
        return None
    head = await git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    root = Path(top[0].strip())
    names = [entry[3:] for entry in status]
    return Checkout(folder, head[0].strip() if head else None, {name: state_of(root / name) for name in names})


def is_in_checkout(folder: Path) -> bool:
    """Tell whether a folder, or one above it, is the top of a checkout; a relative one too."""
    above = folder.absolute()
    try:
        return any((place / ".git").exists() for place in (above, *above.parents))
    except OSError:  # a name too long, or a folder that we may not look into
        return False


def state_of(file: Path) -> tuple[int, int]:
    """Return a file's size and the time of its last change; zeros where it is gone."""
    try:
        facts = file.lstat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


async def git(folder: Path, *arguments: str) -> list[str] | None:
    """Run git and return what it says, split at NULs; None if it says no, or nothing in time.

    Optional locks are off: looking must not disturb an agent that commits at this moment (G31).
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(folder), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except OSError:
        return None
    try:
        async with asyncio.timeout(GIT_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return None if process.returncode else [part for part in os.fsdecode(said).split("\0") if part]
