"""Lines come out as bytes.split would cut them, whatever the chunks, in bounded memory."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.agents import AGENTS, MAX_LINE, LineSplitter
from tests.agents.recordings import kept, pieces, read

TEXT = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\xe2\x80\xa8", b"defgh"]), max_size=40).map(b"".join)


def split(splitter: LineSplitter, text: bytes, cuts: list[int]) -> list[bytes]:
    """Feed a text cut at these places and return all its lines, the unfinished one included."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    lines = [line for a, b in pairwise(edges) for line in splitter.feed(text[a:b])]
    rest = splitter.close()
    return lines + ([rest] if rest is not None else [])


@given(TEXT, st.lists(st.integers(0, 80), max_size=8))
def test_any_cut_gives_the_lines_of_split(text: bytes, cuts: list[int]) -> None:
    """Every line comes out once, whole, in order."""
    expected = text.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert split(LineSplitter(), text, cuts) == expected


@given(TEXT, st.lists(st.integers(0, 80), max_size=8), st.integers(1, 9))
def test_long_lines_are_left_out_and_counted(text: bytes, cuts: list[int], longest: int) -> None:
    """A line above the limit is missing, counted once, and takes no other line with it."""
    expected = text.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    splitter = LineSplitter(max_line=longest)
    assert split(splitter, text, cuts) == [line for line in expected if len(line) <= longest]
    assert splitter.oversize_lines == sum(len(line) > longest for line in expected)


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 1_300_000, MAX_LINE])
def test_lines_up_to_the_limit_are_read(length: int) -> None:
    """Lines far beyond 64 KiB come out whole (G5)."""
    splitter = LineSplitter()
    lines = [line for chunk in pieces(b"x" * length + b"\nnext\n", 65_536) for line in splitter.feed(chunk)]
    assert [len(line) for line in lines] == [length, 4]
    assert splitter.oversize_lines == 0


def test_an_endless_line_is_bounded_and_costs_linear_time() -> None:
    """Of a 70 MB line in small chunks nothing is kept, and the lines after it count."""
    recording = kept("claude/tools.sj.stdout")
    reader = recording.reader()
    tracemalloc.start()
    for chunk in pieces(b"x" * (70 * 1024 * 1024), 4099):
        reader.feed(chunk)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < MAX_LINE
    report = read(reader, [b"\n", recording.output])
    assert report.oversize_lines == 1
    assert report.usage == recording.read().usage


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "qwen"])
def test_an_oversize_line_is_reported_in_every_mode(agent: str) -> None:
    """Where lines are read, those left out are counted."""
    for mode in ("json", "stream-json", None):
        assert read(AGENTS[agent].reader(mode), [b"x" * (MAX_LINE + 1), b"\nhello\n"]).oversize_lines == 1
