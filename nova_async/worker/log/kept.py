"""The names of earlier logs, which were moved aside to ``F1~1.log``, ``F1~2.log`` …, oldest first.

A folder may hold the logs of ten thousand tasks, and each task asks for its own: so a folder is listed once, and what
has come since is found by its number. Everything here blocks.
"""

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["kept_logs", "note_kept", "numbered"]

MOST_FOLDERS = 8  # that are remembered; a run has one
_folders: dict[str, dict[str, list[int]]] = {}
"""The numbers that are taken, by folder and by the name of the latest log."""


def numbered(path: Path, number: int) -> Path:
    """Return the name of an earlier log."""
    return path.with_name(f"{path.stem}~{number}{path.suffix}")


def kept_logs(path: Path) -> Iterator[tuple[int, Path]]:
    """Give the logs of earlier attempts beside the latest one, and their numbers; some may be gone by now."""
    folder = os.path.abspath(path.parent)  # noqa: PTH100 - it stays the same folder wherever we go
    names = _folders.get(folder)
    if names is None or not is_there(path, names.get(path.name)):
        if len(_folders) >= MOST_FOLDERS:
            _folders.clear()
        names = _folders[folder] = listed(folder)
    numbers = names.setdefault(path.name, [])
    while os.path.lexists(numbered(path, latest := max(numbers, default=0) + 1)):  # another process has put it there
        numbers.append(latest)
    return ((number, numbered(path, number)) for number in numbers[:])


def is_there(path: Path, numbers: list[int] | None) -> bool:
    """Tell whether the latest of these is there; otherwise somebody has tidied up."""
    return not numbers or os.path.lexists(numbered(path, max(numbers)))


def note_kept(path: Path, number: int) -> None:
    """Remember that a number is taken."""
    folder = os.path.abspath(path.parent)  # noqa: PTH100
    if folder in _folders:
        _folders[folder].setdefault(path.name, []).append(number)


def listed(folder: str) -> dict[str, list[int]]:
    """List the numbers of a folder's earlier logs."""
    found: dict[str, list[int]] = {}
    for name in os.listdir(folder):  # noqa: PTH208 - names suffice
        stem, mark, rest = name.rpartition("~")
        number, dot, suffix = rest.partition(".")
        if mark and number.isascii() and number.isdecimal():
            found.setdefault(f"{stem}{dot}{suffix}", []).append(int(number))
    return found
