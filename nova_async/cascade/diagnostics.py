"""What is wrong with a plan, and where: one line for each problem, all of them at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import final

from nova_async.errors import NovaError

__all__ = ["CascadeError", "Diagnostic", "Findings", "did_you_mean", "shown"]

MAX_SHOWN = 80  # characters of somebody's text inside a message; longer ones are cut
NEAR = 0.7  # how alike two words must be; with less, a column "Status" would be a slip for "tags"
MAX_GUESSES = 50  # "did you mean" compares with every name there is: a file full of typos must not take seconds


@final
@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One problem of a plan. An ``E`` code forbids the run, a ``W`` code says what is ignored."""

    line: int
    """Counted from 1, in the file as the author sees it."""
    code: str
    text: str
    file: str = "CASCADE.md"

    @property
    def is_error(self) -> bool:
        """True for ``E`` codes: nothing starts as long as there is one."""
        return self.code.startswith("E")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code} {self.text}"


@final
class CascadeError(NovaError, ValueError):
    """A plan cannot be run; it carries every problem of the file, not only the first."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        """Errors and warnings, sorted by line."""
        super().__init__("\n".join(map(str, self.diagnostics)))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Only the ``E`` codes."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.is_error)

    def __reduce__(self) -> tuple[type["CascadeError"], tuple[tuple[Diagnostic, ...]]]:
        # Exceptions are otherwise rebuilt from their message, and the diagnostics would be lost between processes.
        return CascadeError, (self.diagnostics,)


@final
class Findings:
    """Collects the problems of one file while it is read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: set[Diagnostic] = set()
        self._guesses_left = MAX_GUESSES

    def add(self, line: int, code: str, text: str) -> None:
        """Note a problem at ``line``, counted from 1; the same words twice on one line are one problem."""
        self._found.add(Diagnostic(line, code, text, self.file))

    def guess(self, word: str, known: Iterable[str]) -> str:
        """Like ``did_you_mean``, but silent once the file has had its share of guesses."""
        if self._guesses_left == 0:
            return ""
        self._guesses_left -= 1
        return did_you_mean(word, known)

    def has(self, *codes: str) -> bool:
        """Tell whether a problem with one of these codes was noted; a code may be cut short, as in ``E1``."""
        return any(diagnostic.code.startswith(codes) for diagnostic in self._found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """All problems by line, then code, then text."""
        return tuple(sorted(self._found))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ``"; did you mean 'x'?"`` for the known word nearest to ``word``, or nothing."""
    names = list(known)
    folded = {name.casefold(): name for name in reversed(names)}
    word = word[:MAX_SHOWN].casefold()
    near = [word] if word in folded else get_close_matches(word, folded, n=1, cutoff=NEAR)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""


def shown(text: str) -> str:
    """Put the author's words in quotes, on one line and cut short, for use inside a message."""
    # What cannot be printed could move the cursor or recolour the terminal that shows the message.
    text = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text[: 4 * MAX_SHOWN].split()))
    return f"'{text[: MAX_SHOWN - 1]}…'" if len(text) > MAX_SHOWN else f"'{text}'"
