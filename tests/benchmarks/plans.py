"""Plans of trivial tasks in several shapes."""

from collections.abc import Iterable
from pathlib import Path

__all__ = ["COMMAND", "chain", "flat", "wide", "write"]

COMMAND = ("--command", "/bin/true {prompt}")


def flat(count: int) -> str:
    """Return tasks that wait for nobody."""
    return _plan((f"T{number}", "-") for number in range(1, count + 1))


def chain(count: int) -> str:
    """Return tasks that each wait for the one before."""
    return _plan((f"T{number}", f"T{number - 1}" if number > 1 else "-") for number in range(1, count + 1))


def wide(count: int) -> str:
    """Return one task, many that wait for it, and one that waits for them all."""
    middle = [f"T{number}" for number in range(2, count)]
    return _plan([("T1", "-"), *((name, "T1") for name in middle), (f"T{count}", ", ".join(middle))])


def write(folder: Path, text: str) -> None:
    """Write it as the plan of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CASCADE.md").write_text(text)


def _plan(rows: Iterable[tuple[str, str]]) -> str:
    lines = "\n".join(f"| {name} | x | {deps} |" for name, deps in rows)
    return f"# Trivial tasks\n\n| ID | What | Depends on |\n|---|---|---|\n{lines}\n"
