"""Tables for people: columns of whatever is in them, in as many columns of the terminal as there are."""

import unicodedata
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nova_async.cli import columns
from nova_async.cli.columns import GAP, cut, fold, table_lines, width_of
from nova_async.cli.ink import Ink, Line, Span, plain

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ROWS: list[list[Line]] = [["task", "doing", "cost"], ["F1", "日本", "$1.00"], ["", "", ""]]
CELLS = st.text("ab 日é\u0301\u200d\U0001f468\U0001f1e9\x1b[31m\n\t\u202e[bold]:x:", max_size=30)


def lines_of(rows: list[list[Line]], **how: object) -> list[str]:
    """Return the lines of a table whose third column is set to the right, without colours."""
    return [plain(line) for line in table_lines(rows, right=frozenset({2}), **how)]  # type: ignore[arg-type]


def test_columns_are_set_as_their_contents_are() -> None:
    """Words begin and numbers end below one another, wide characters count double, and no line ends in blanks."""
    assert lines_of(ROWS, width=None) == ["task  doing   cost", "F1    日本   $1.00", ""]
    assert lines_of(ROWS, width=8, folding=[1])[1:] == ["F1    日本   $1.00", ""]


def test_a_long_cell_is_folded_or_cut() -> None:
    """It is folded at blanks, within words only where it must be; a column that is cut says so."""
    long: list[list[Line]] = [["F1", "x" * 20, "$1"]]
    assert lines_of(long, width=16, folding=[1]) == ["F1  xxxxxxxx  $1", "    xxxxxxxx", "    xxxx"]
    words: list[list[Line]] = [["F1", "one two three", "$1"]]
    assert lines_of(words, width=16, folding=[1]) == ["F1  one two   $1", "    three"]
    assert lines_of(long, width=16, cutting={1: 99}) == ["F1  xxxxxxx…  $1"]
    assert lines_of(long, width=99, cutting={1: 5}) == ["F1  xxxx…  $1"]


def test_a_column_of_nothing_takes_no_place() -> None:
    """Where nobody has told a cost there is no column for it, and no gap."""
    assert lines_of([["F1", "", "$1"], ["F2", "", "$2"]], width=None) == ["F1  $1", "F2  $2"]


def test_an_emoji_is_not_torn() -> None:
    """A family is one sign: it is there as a whole or not at all; so are flags and accents."""
    for text in (FAMILY, "\U0001f1e9\U0001f1ea", "e\u0301", "\U0001f44d\U0001f3fd"):
        for width in range(12):
            kept = plain(cut(text * 3, width)).rstrip("…")
            assert kept == text * (len(kept) // len(text))
            assert all(plain(line).replace(text, "") == "" for line in fold(text * 3, width))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    """Whatever stands in the cells: no line is too wide, none is torn in two, and no control character is left."""
    table: list[list[Line]] = [["F1", [Span(first, Ink.BOLD), second], third] for first, second, third in rows]
    for how in ({"folding": [1, 2]}, {"cutting": {1: 40, 2: 40}}):
        lines = lines_of(table, width=width, **how)
        assert max(map(cell_len, lines)) <= width
        assert not any(unicodedata.category(char) == "Cc" for char in chain(*lines))


@given(CELLS, st.integers(2, 30))
def test_folding_loses_nothing_but_blanks(text: str, width: int) -> None:
    """All pieces together are the text, and none is too wide unless it is a single sign."""
    pieces = fold(text, width)
    assert "".join(map(plain, pieces)).split() == [] or all(width_of(piece) <= max(width, 12) for piece in pieces)
    assert "".join("".join(map(plain, pieces)).split()) == "".join(plain(cut(text, 10_000)).split())
    assert GAP == 2


def test_a_cell_is_made_fit_and_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it needs no folding: a table may have ten thousand."""
    looks: list[str] = []
    monkeypatch.setattr(columns, "clean", lambda text: looks.append(text) or text)
    assert len(list(table_lines([["one", "two", ""]] * 100, width=80, folding=[0], cutting={1: 20}))) == 100
    assert len(looks) == 200
