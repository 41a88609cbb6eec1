"""On which line each key of a TOML text stands; the standard library's reader does not tell."""

import re

__all__ = ["TomlLines"]

KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
PATH = rf"{KEY}(?:\s*\.\s*{KEY})*"
TABLE = re.compile(rf"\s*(\[\[?)\s*({PATH})\s*\]\]?")
ASSIGNMENT = re.compile(rf"\s*({PATH})\s*=")
DEEPEST = 8  # names in a path; what is set deeper gets the line of what is around it
TRIPLE = re.compile(r'"""|' + "'''")


class TomlLines:
    """Finds lines by key. It is a map for messages, not a second parser: unknown places fall back to their parent."""

    def __init__(self, toml: str, first_line: int) -> None:
        self._lines: dict[tuple[str | int, ...], int] = {(): first_line}
        counts: dict[tuple[str | int, ...], int] = {}
        table: tuple[str | int, ...] = ()
        open_string = ""
        for number, text in enumerate(toml.split("\n"), first_line):
            if not open_string:
                header, assignment = TABLE.match(text), ASSIGNMENT.match(text)
                if header:
                    table = self._path(header[2])
                    self._note(table, number)
                    if header[1] == "[[":
                        counts[table] = counts.get(table, -1) + 1
                        table = (*table, counts[table])
                        self._note(table, number)
                elif assignment:
                    self._note((*table, *self._path(assignment[1])), number)
            for quotes in TRIPLE.findall(text):
                open_string = quotes if not open_string else "" if quotes == open_string else open_string

    def line_of(self, *path: str | int) -> int:
        """Give the line of the key or table at ``path``, counted from 1 in the whole file."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _note(self, path: tuple[str | int, ...], number: int) -> None:
        for length in range(1, min(len(path), DEEPEST) + 1):
            self._lines.setdefault(path[:length], number)

    @staticmethod
    def _path(text: str) -> tuple[str, ...]:
        return tuple(key.strip("\"'") for key in re.findall(KEY, text))
