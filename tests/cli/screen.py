"""What one sees on a terminal: enough of one to tell whether anything is left where it should not be."""

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import termios
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.command import NOVA, SILENCE

TOKEN = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b\](?:.*?)(?:\x07|\x1b\\)|(.)", re.DOTALL)


@dataclass
class Row:
    """One row; ``goes_on`` says that its line was too long and goes on in the next one."""

    text: str = ""
    goes_on: bool = False


@dataclass
class Screen:
    """A terminal that folds long lines anew when it gets another width, as nearly all do.

    ``rows`` are those above the screen as well. All characters are one column wide.
    """

    columns: int
    lines: int
    rows: list[Row] = field(default_factory=lambda: [Row()])
    row: int = 0
    column: int = 0
    wraps: bool = True
    has_cursor: bool = True

    def feed(self, data: bytes) -> None:
        """Take what was written to the terminal."""
        for private, numbers, letter, char in TOKEN.findall(data.decode(errors="replace")):
            if char:
                self._put(char)
            elif letter:
                self._obey(private, numbers, letter)

    def resize(self, columns: int, lines: int) -> None:
        """Give it another size: lines are folded anew, and the cursor stays with what it was at."""
        texts, here = [""], (0, 0)
        for number, row in enumerate(self.rows):
            if number == self.row:
                here = len(texts) - 1, len(texts[-1]) + self.column
            texts[-1] += row.text if not row.goes_on else row.text.ljust(self.columns)
            if not row.goes_on:
                texts.append("")
        self.columns, self.lines, self.rows = columns, lines, []
        for number, text in enumerate(texts[:-1]):
            pieces = [text[begin : begin + columns] for begin in range(0, max(len(text), 1), columns)]
            if number == here[0]:
                self.row, self.column = len(self.rows) + min(here[1] // columns, len(pieces) - 1), here[1] % columns
            self.rows += [Row(piece, place < len(pieces) - 1) for place, piece in enumerate(pieces)]

    @property
    def shown(self) -> list[str]:
        """Everything that was written and has not been written over or erased, also above the screen."""
        return [row.text.rstrip() for row in self.rows]

    def _put(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.rows[self.row].goes_on = False
            self._down()
        elif char >= " ":
            if self.column >= self.columns:
                if not self.wraps:
                    self.column = self.columns - 1
                else:
                    self.rows[self.row].goes_on = True
                    self._down()
                    self.column = 0
            row = self.rows[self.row]
            row.text = row.text[: self.column].ljust(self.column) + char + row.text[self.column + 1 :]
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append(Row())

    def _keep_what_is_cleared(self) -> None:
        """Move the screen up where all of it is cleared at once, as tmux does: it is taken for `clear`."""
        top = max(len(self.rows) - self.lines, 0)
        cleared = [row.text for row in self.rows[top:]]
        if (self.row, self.column) == (top, 0) and any(cleared):
            self.rows[top:top] = map(Row, cleared)
            self.row += len(cleared)

    def _obey(self, private: str, numbers: str, letter: str) -> None:
        row = self.rows[self.row]
        match letter:
            case "A":
                self.row = max(self.row - int(numbers or 1), len(self.rows) - self.lines, 0)
            case "K":
                row.text, row.goes_on = row.text[: min(self.column, self.columns - 1)], False
            case "J":
                self._keep_what_is_cleared()
                row.text, row.goes_on = row.text[: min(self.column, self.columns - 1)], False
                del self.rows[self.row + 1 :]
            case "h" | "l" if private and numbers == "7":
                self.wraps = letter == "h"
            case "h" | "l" if private and numbers == "25":
                self.has_cursor = letter == "h"
            case "m":
                pass
            case _:
                raise AssertionError(f"nova sent {private}{numbers}{letter}")


class Shell:
    """An interactive shell with job control, in a terminal of its own that is watched; ``nova`` is on its PATH.

    ``screen`` is what the terminal shows, ``sent`` whatever was written to it.
    """

    def __init__(self, folder: Path, columns: int = 80, lines: int = 24, **environment: str) -> None:
        self.screen = Screen(columns, lines)
        self.sent = b""
        self._ours, theirs = pty.openpty()
        self._set_size(columns, lines)
        binaries = folder / "bin"
        binaries.mkdir(exist_ok=True)
        (binaries / "nova").write_text(f'#!/bin/sh\nexec {shlex.join(NOVA)} "$@"\n')
        (binaries / "nova").chmod(0o755)
        unwanted = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "NOVA_PLAIN", "ACCESSIBLE", "ENV")
        inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
        path = f"{binaries}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "sh", "-i"], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
            env={**inherited, "PATH": path, "TERM": "xterm-256color", "PS1": "$ ", **environment},
        )  # fmt: skip
        os.close(theirs)
        self.until("$ ")

    def type(self, keys: str) -> None:
        """Type on its keyboard."""
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(columns, lines)
        self._set_size(columns, lines)

    def until(self, wanted: str, *, times: int = 1) -> None:
        """Wait until this text is there so many times."""
        while "\n".join(self.screen.shown).count(wanted.strip()) < times:
            self.read()

    def read(self) -> None:
        """Wait for whatever comes next."""
        readable, _, _ = select.select([self._ours], [], [], SILENCE)
        assert readable, "nothing more came:\n" + "\n".join(self.screen.shown)
        data = os.read(self._ours, 4096)
        self.sent += data
        self.screen.feed(data)

    def answer(self, command: str) -> str:
        """Return what a command prints, once it is the shell's turn again."""
        self.type(f"echo from-$((40+1)); {command}; echo over-$((40+2))\n")
        self.until("over-42")
        return "\n".join(self.screen.shown).rpartition("from-41\n")[2].partition("over-42")[0]

    def echoes(self) -> bool:
        """Tell whether what is typed is shown."""
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)

    def close(self) -> None:
        """End it, and whatever runs in it."""
        self._process.terminate()
        os.close(self._ours)  # its jobs hear SIGHUP
        self._process.wait(SILENCE)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
