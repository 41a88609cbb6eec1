"""Text that is fit to be shown: nothing in it acts on a terminal, and a line has a bounded length."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nova_async._core.text import MAX_LINE_SHOWN, _beginning, clean, clusters, listed, one_line

# Format characters that are signs of their own, before the number that they mark.
SEEN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u0890\u0891\u08e2\U000110bd\U000110cd"
ODD = st.text(st.sampled_from("\x1b[]0;31mP\\\x07\x9b\x9d\x9c\r\n\t ab\u202e\u200b\u200d\u2028\ud800\U000e0041é中👩"))


@pytest.mark.parametrize("limit", [MAX_LINE_SHOWN, 10])
def test_a_line_is_cut_only_beyond_its_limit(limit: int) -> None:
    """What just fits stays whole; one character more, and the mark takes the last place."""
    assert one_line("x" * limit, limit) == "x" * limit
    assert one_line("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m and \x9b4munderlined", "red and underlined"),
        ("\x1b]0;a title\x07left", "left"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9dtitle\x9cleft \x90sixels\x9cright", "left right"),
        ("an \x1b]0;unfinished title", "an 0;unfinished title"),  # nothing readable is lost with it
        ("\x1b\x1b[31m[31m", "[31m"),
        ("cut\x1b[3", "cut"),
        ("a\x00b\x08c\x7fd", "abcd"),
        ("one\r\ntwo\rthree\x0bfour\u2028five\x85six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("if a:\n\tb", "if a:\n\tb"),
        ("user\u202enimda\u202c \u2066x\u2069", "usernimda x"),
        ("zero\u200bwidth\ufeff so\xadft", "zerowidth soft"),
        ("tagged\U000e0068\U000e0069", "tagged"),
        ("path\udcff", "path\ufffd"),
        ("👩\u200d👩\u200d👧 क्\u200dष", "👩\u200d👩\u200d👧 क्\u200dष"),
        ("r\u200dm r\u202e\u200d\u202em", "rm rm"),
    ],
)
def test_what_is_left_of_a_text(text: str, shown: str) -> None:
    """Escapes go as a whole, what is invisible goes, lines and tabs and joined characters stay."""
    assert clean(text) == shown


@given(ODD | st.text())
@example("👩\u200d\u200d👩")
@example("\u200e\u200d\u200e")
def test_a_clean_text_has_nothing_left_to_act(text: str) -> None:
    """No control, format or line separator character but ours is left, and cleaning again changes nothing."""
    shown = clean(text)
    for place, char in enumerate(shown):
        if char in "\u200c\u200d":  # only within emoji, and scripts that need them
            assert shown[place - 1] > "\u02ff"
            assert shown[place + 1] > "\u02ff"
        else:
            assert char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
            assert unicodedata.category(char) != "Cf" or char in SEEN
    assert clean(shown) == shown


@given(ODD | st.text())
def test_one_line_is_clean_and_one_line(text: str) -> None:
    """It has no line ends, no tabs, no blanks around it."""
    line = one_line(text)
    assert line == clean(line) == " ".join(line.split())
    assert len(line) <= MAX_LINE_SHOWN


@pytest.mark.parametrize(
    "piece", ["\x9d", "\x1b[", "\x1b]", "\x1b ", "\x1b[1", "\x1b]\x1b", "\x90x", "\u200d", "\x1b[1;", "\r", "\ud800"]
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    """A megabyte of beginnings without an end is cleaned at once."""
    began = time.process_time()
    clean(piece * (1_000_000 // len(piece)) + "\x1b")
    assert time.process_time() - began < 3


def test_what_belongs_together_is_not_torn() -> None:
    """A flag is two halves; a line that is cut is cut between two signs."""
    assert list(clusters("")) == []
    assert list(clusters("🇩🇪🇫🇷a\u0301b")) == ["🇩🇪", "🇫🇷", "a\u0301", "b"]
    assert list(clusters("🇩x")) == ["🇩", "x"]
    assert one_line("🇩🇪" * 3, 4) == "🇩🇪…"
    assert one_line("ab", 4) == "ab"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"


def test_a_line_whose_last_sign_just_fits() -> None:
    """Its mark takes the place of what does not."""
    assert one_line("abc" + "d\u0301" * 40, 10) == "abc" + "d\u0301" * 3 + "…"
    assert _beginning("abc", 3) == "abc"
