"""What git says about a task's folder: its commit, and which files an attempt has changed. All of it blocks."""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from nova_async.attempt.git import Git

__all__ = ["Checkout", "has_changed_since", "look_at_checkout"]

MOST_FILES = 1000  # named in the state file; an attempt that changes more has most likely changed a whole folder
MOST_ENTRIES = 20_000  # checked where git cannot say what has changed: a fraction of a second
CLOCK_TICK = 0.02  # seconds by which a file's timestamp may lag behind the clock

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's name for a tree without files, in every repository


@final
@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree at one moment."""

    root: Path
    head: str | None
    """The commit that is checked out; None before the first."""
    dirty: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Files that differ from it, with size in bytes and modification time in nanoseconds."""

    def files_changed_since(self, before: "Checkout", git: Git, ours: Collection[Path] = ()) -> tuple[str, ...]:
        """Return the files that changed since an earlier look, committed or not, sorted; at most 1,000.

        The files and folders in ``ours`` do not count.
        """
        changed = {name for name in {*self.dirty, *before.dirty} if self.dirty.get(name) != before.dirty.get(name)}
        if self.head != before.head and self.head is not None:
            changed.update(git.ask("diff-tree", "-r", "--name-only", "-z", before.head or EMPTY_TREE, self.head) or ())
        places = [place.resolve() for place in ours]
        foreign = (name for name in changed if not is_ours(self.root / name, places))
        return tuple(sorted(foreign)[:MOST_FILES])


def look_at_checkout(git: Git) -> Checkout | None:
    """Inspect the checkout that a folder is in; None if it is in none, or git is not available."""
    if not is_in_checkout(git.folder):
        return None
    if (options := git.without_filters()) is None:
        return None
    # Not into submodules: each has a configuration of its own. One whose commit has moved is told.
    status = git.ask(
        *options, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty"
    )
    if status is None or not (top := git.ask("rev-parse", "--show-toplevel")):
        return None
    head = git.ask("rev-parse", "--verify", "--quiet", "HEAD")
    root = Path(top[0].strip("\n"))
    names = [entry[3:] for entry in status]
    return Checkout(root, head[0].strip() if head else None, {name: state_of(root / name) for name in names})


def is_in_checkout(folder: Path) -> bool:
    """Tell whether a folder, which may be relative, or one above it is the top of a checkout."""
    above = folder.absolute()
    try:
        return any((place / ".git").exists() for place in (above, *above.parents))
    except OSError:  # a name too long, or a folder that we may not read
        return False


def has_changed_since(folder: Path, moment: float, ours: Collection[Path] = ()) -> bool | None:
    """Tell whether a file or folder below this one has changed since a moment; None if there are too many to check.

    For folders outside any checkout. The moment is in seconds since the epoch; it is compared with the inode change
    time, which no program can set.
    """
    looked_at = 0
    # Our own paths may be absolute, and the folder relative.
    places = [place.resolve() for place in ours]
    for entry in entries_below(folder.resolve(), places):
        looked_at += 1
        if looked_at > MOST_ENTRIES:
            return None
        try:
            if entry.lstat().st_ctime >= moment - CLOCK_TICK:
                return True
        except OSError:  # it is gone: its folder has changed
            continue
    return False


def entries_below(folder: Path, ours: Collection[Path]) -> Iterator[Path]:
    """Iterate over everything below a folder except what is ours.

    Not the folder itself, which changes with every write of a state file in it.
    """
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = [name for name in folders if not is_ours(here / name, ours)]
        for name in (*folders, *files):
            if not is_ours(here / name, ours):
                yield here / name


def is_ours(path: Path, ours: Collection[Path]) -> bool:
    """Tell whether a path is one of these or is below one."""
    return any(place in (path, *path.parents) for place in ours)


def state_of(file: Path) -> tuple[int, int]:
    """Return a file's size and modification time; zeros if it is gone."""
    try:
        facts = file.lstat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
