"""Which column of a task table means what."""

from dataclasses import dataclass
from typing import final

from nova_async.cascade.diagnostics import Findings, shown
from nova_async.cascade.options import OPTIONS, Option, as_header, find_option

__all__ = ["FIELDS", "Columns", "field_of", "guess_option", "read_header"]

FIELDS = {
    "id": ("task id", "id", "#"),
    "name": ("task name", "name", "title", "task"),
    "prompt": ("what changes", "description", "prompt", "what"),
    "deps": ("depends on", "depends", "deps", "dependencies", "after", "blocked by"),
}
BY_HEADER = {header: field for field, headers in FIELDS.items() for header in headers}


@final
@dataclass(frozen=True, slots=True)
class Columns:
    """The positions of the columns of one task table, and what is odd about its header."""

    count: int
    fields: dict[str, int]
    options: tuple[tuple[int, Option], ...]
    unknown: tuple[str, ...]
    doubled: tuple[tuple[str, str], ...]
    """What several columns mean, with their headers."""

    def report(self, line: int, findings: Findings) -> None:
        """Note columns that are not read (W111) and columns that say the same (E108)."""
        for header in self.unknown:
            findings.add(line, "W111", f"unknown column {shown(header)} ignored{guess_option(header, findings)}")
        for meaning, headers in self.doubled:
            findings.add(line, "E108", f"two columns mean '{meaning}': {headers}")


def field_of(header: str) -> str | None:
    """Find which of a task's own fields a header or a bullet's key means: id, name, prompt or deps."""
    return BY_HEADER.get(as_header(header))


def guess_option(word: str, findings: Findings) -> str:
    """Give ``"; did you mean …?"`` for an option whose name is near."""
    return findings.guess(as_header(word).replace(" ", "_"), [option.key for option in OPTIONS])


def read_header(cells: "list[str] | tuple[str, ...]") -> Columns | None:
    """Read a header row; None if it is not the one of a task table: an id, and a prompt or dependencies."""
    fields: dict[str, int] = {}
    options: dict[str, tuple[int, Option]] = {}
    headers: dict[str, list[str]] = {}
    unknown = []
    for index, cell in enumerate(cells):
        field, option = field_of(cell), find_option(cell)
        if field is not None:
            fields.setdefault(field, index)
        elif option is not None:
            options.setdefault(option.key, (index, option))
        else:
            unknown.append(cell)
            continue
        headers.setdefault(field or (option.key if option else ""), []).append(cell)
    if "id" not in fields or not fields.keys() & {"prompt", "deps"}:
        return None
    doubled = [(meaning, ", ".join(named)) for meaning, named in headers.items() if len(named) > 1]
    return Columns(len(cells), fields, tuple(options.values()), tuple(unknown), tuple(doubled))
