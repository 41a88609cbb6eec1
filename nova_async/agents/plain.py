"""Read any command's output: the documented usage line, and the last thing it said.

The format is that of the worker's documentation (docs/agents.md):
``Token usage: input=1234, output=567, cache_read=890, cache_creation=123``, anywhere in a line, several summed.
"""

import re
from collections.abc import Callable
from typing import final

from nova_async._core.text import MAX_LINE_SHOWN, one_line
from nova_async.agents.ledger import bounded
from nova_async.agents.reader import AgentReport, LineSplitter
from nova_async.usage import TokenUsage
from nova_async.words import UsageSource

__all__ = ["PlainReader"]

# Long on purpose: the longer the needle, the further bytes.find can leap.
MARKER = b"Token usage: input="
# 15 digits: no run uses more, and a match has a length that the carry can bound.
LINE = re.compile(
    rb"Token usage: input=(\d{1,15}), output=(\d{1,15}), cache_read=(\d{1,15}), cache_creation=(\d{1,15})(?!\d)"
)
BEGINNING = 256 * 1024  # bytes in which an agent's first event is looked for; a wrapper may print much before it
LONGEST_MATCH = 256  # bytes; 123 and a digit to look at would do
LONG_LINE = 64 * 1024  # bytes of an unfinished line kept before what was searched in it is let go
TAIL = 4096  # bytes of the output's end in which the last line is looked for, when somebody asks


@final
class PlainReader:
    """Sum the documented usage lines; ``counts_usage=False`` is for agents that print none in their text mode.

    ``whose`` tells the name of the agent whose output a line seems to begin.
    """

    def __init__(self, *, counts_usage: bool = True, whose: Callable[[bytes], str | None] | None = None) -> None:
        self._counts_usage = counts_usage
        self._whose = whose
        self._beginning = LineSplitter(LONG_LINE)
        self._left_to_look_at = BEGINNING
        self._is_in_line = False
        self._looks_like: str | None = None
        self._line = bytearray()  # the unfinished line, or as much of it as can still matter
        self._in_line: list[TokenUsage] = []  # found in parts of that line already let go
        self._usage = TokenUsage()
        self._tail = bytearray()
        self._changed = False
        self._report = AgentReport()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the output, cut anywhere; it never raises and never waits."""
        if not chunk:
            return
        self._changed = True
        if len(chunk) >= TAIL:
            self._tail = bytearray(chunk[-TAIL:])
        else:
            self._tail += chunk
            if len(self._tail) > 4 * TAIL:
                del self._tail[:-TAIL]
        if self._counts_usage:
            self._search(chunk)
        if self._whose is not None:
            self._look(self._whose, chunk)

    def stop_counting(self) -> None:
        """Let no later usage line count: what follows is known to be something else."""
        self._counts_usage = False

    def close(self) -> None:
        """Say that nothing more will come, so that a last line without its end counts; harmless to repeat."""
        if self._counts_usage and self._line:
            self._search(b"\n")
            self._changed = True

    @property
    def report(self) -> AgentReport:
        """What is known now; the same object as long as nothing changed."""
        if self._changed:
            self._changed = False
            activity, usage = self._last_line(), bounded(self._usage)
            before = self._report
            if (activity, usage, self._looks_like) != (before.activity, before.usage, before.looks_like):
                source = UsageSource.LIVE if usage.total else UsageSource.NONE
                self._report = AgentReport(
                    usage=usage, usage_source=source, activity=activity, looks_like=self._looks_like
                )
        return self._report

    def _look(self, whose: Callable[[bytes], str | None], chunk: bytes) -> None:
        # Nothing is counted by it: a model could print such a line, too. Whole lines without a brace cannot be one.
        ends_a_line = chunk.endswith(b"\n")
        if self._is_in_line or not ends_a_line or b"{" in chunk:
            for line in self._beginning.feed(chunk[: self._left_to_look_at]):
                if self._looks_like is None and line.startswith(b"{") and b'"type":"' in line:
                    self._looks_like = whose(line)
            self._is_in_line = not ends_a_line
        self._left_to_look_at -= len(chunk)
        if self._looks_like is not None or self._left_to_look_at <= 0:
            self._whose = None
            self._beginning.close()

    def _search(self, chunk: bytes) -> None:
        # Only finished lines count, and a find over all of them at once is ten times faster than line by line.
        last = chunk.rfind(b"\n")
        if last < 0:
            self._line += chunk
            if len(self._line) > LONG_LINE:
                self._let_go()
            return
        start = 0
        if self._line:
            start = chunk.find(b"\n")
            self._line += chunk[:start]
            self._count(bytes(self._line), 0, len(self._line))
        for usage in self._in_line:
            self._usage += usage
        self._in_line.clear()
        self._count(chunk, start, last)
        self._line = bytearray(chunk[last + 1 :])
        if len(self._line) > LONG_LINE:
            self._let_go()

    def _count(self, text: bytes, start: int, end: int) -> None:
        at = text.find(MARKER, start, end)
        while at >= 0:
            match = LINE.match(text, at, end)
            if match:
                self._usage += _usage_of(match)
            at = text.find(MARKER, match.end() if match else at + len(MARKER), end)

    def _let_go(self) -> None:
        # A line without end must not grow for ever. What was found in it counts when it ends, as everywhere.
        text = bytes(self._line)
        keep_from = len(text) - LONGEST_MATCH
        for match in LINE.finditer(text):
            if match.end() == len(text):  # its last number may go on in the next chunk
                break
            self._in_line = [sum(self._in_line, _usage_of(match))]
            keep_from = max(keep_from, match.end())
        self._line = bytearray(text[keep_from:])

    def _last_line(self) -> str | None:
        # Asked for after every chunk, so the usual case goes first: a short last line, nothing but ASCII.
        end = bytes(self._tail[-MAX_LINE_SHOWN:]).rstrip()
        begin = max(end.rfind(b"\n"), end.rfind(b"\r")) + 1
        if begin and end.isascii():
            line = one_line(end[begin:].decode("ascii"))
            if line:
                return line
        for piece in reversed(re.split(rb"[\r\n]+", bytes(self._tail[-TAIL:]))):
            line = one_line(piece.decode("utf-8", "replace"))
            if line:
                return line
        return None


def _usage_of(match: re.Match[bytes]) -> TokenUsage:
    return TokenUsage(*map(int, match.groups()))
