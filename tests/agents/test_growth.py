"""Hostile text costs time in proportion to its length: whatever cleans, reads or shows it."""

from collections.abc import Callable

import pytest

from nova_async._core.text import clean, clusters, one_line
from nova_async.agents import AGENTS, error_entrance, recognise
from nova_async.agents.failures import failure_of, limit_of_words
from nova_async.agents.rendering import PieceKind, cut_line, shortened
from nova_async.agents.streaming import Stream
from nova_async.agents.wording import plain_id, plain_text, tool_call

SIZE = 200_000  # characters: what grows with the square would take hours, and the time limit of a test ends it

# What a pattern may look at again and again: beginnings of escapes, blanks, joiners, backslashes, and words that begin
# like those that are looked for.
UNITS = [
    "\x1b", "\x9d", "\x1b]", "\x1b[", "\x90x", "\x1b]x\x1b", "\x9d\x9c", "\x1b[0;",
    " ", "\t ", "\u200d", "a\u0301", "\u0301", "\U0001f1e6",
    "\ud800", "\r", "\r\n", "\x85", "\\", '\\"', '"', "{", "[", "{[", "'", "-", "1-", "1.",
    "a b ", "error ", "resets ", "try again at ", "limit reached|1", "connection ", "not ", "api key ", "[API Error: ",
    '"message":"\\', '"code": ', "Token usage: input=1, ",
]  # fmt: skip


def streamed(text: str) -> None:
    """Show a text bit by bit."""
    stream = Stream(PieceKind.TEXT)
    for at in range(0, len(text), 1000):
        stream.add(text[at : at + 1000])


CLEANERS: dict[str, Callable[[str], object]] = {
    "clean": clean,
    "one line": one_line,
    "clusters": lambda text: sum(1 for _ in clusters(text[:4000])),  # only ever asked about a line
    "failure": lambda text: failure_of(text, None),
    "limit": lambda text: limit_of_words(text, None),
    "shortened": shortened,
    "cut line": cut_line,
    "id": plain_id,
    "text": lambda text: plain_text(text, SIZE),
    "tool": lambda text: tool_call(text, text),
    "command": lambda text: recognise(["sh", "-c", text.replace("\0", "")]),
    "stream": streamed,
}


@pytest.mark.parametrize("name", CLEANERS)
def test_text_is_cleaned_in_linear_time(name: str) -> None:
    """A long text of any unit, with and without something else at its ends, is no work."""
    for unit in UNITS:
        body = unit * (SIZE // len(unit) // 4)
        for text in (body, f"{body}\x1bx", f"x{body}y", f'{{"{body}'):
            CLEANERS[name](text)


@pytest.mark.parametrize("agent", list(AGENTS))
def test_lines_are_read_and_shown_in_linear_time(agent: str) -> None:
    """One line of a unit, raw and within an event, by the reader on either stream and by the renderer."""
    for unit in (unit for unit in UNITS if "\n" not in unit):
        raw = (unit * (50_000 // len(unit))).encode("utf-8", "replace")
        text = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        lines = raw + b"\n" + b'{"type":"result","is_error":true,"session_id":"a","status":"error","result":"%b",' \
            b'"error":{"message":"%b"}}\n{"type":"error","message":"%b"}\n' % (text, text, text)  # fmt: skip
        reader = AGENTS[agent].reader("stream-json")
        reader.feed(lines)
        if (feed_error := error_entrance(reader)) is not None:
            feed_error(raw + b"\nError: " + raw + b"\n")
        reader.close()
        assert reader.report is not None
        list(AGENTS[agent].render(lines))
