"""What the command writes: in colours that everybody can read, and nothing that a terminal would obey."""

import errno
import io
import os
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.cli.ink import Colours, Ink, Span, colours_of, paint
from nova_async.cli.say import OutputError, say

CUBE = (0, 95, 135, 175, 215, 255)  # the levels of red, green and blue in the 256 colours
INK = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = st.text() | st.text("\x1b[]0;31mP\\\x07\x9b\x9d\r\n\t ab\u202e\u200b\ud800:x:[bold]")


def contrasts(red: int, green: int, blue: int) -> tuple[float, float]:
    """Return the contrast of a colour with white and with black, as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (red / 255, green / 255, blue / 255)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05


def of_256(number: int) -> tuple[int, int, int]:
    """Return what one of the 256 colours is, from 16 on: below, each terminal has its own."""
    assert number >= 16
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    return CUBE[(number - 16) // 36], CUBE[(number - 16) // 6 % 6], CUBE[(number - 16) % 6]


@pytest.mark.parametrize("ink", Ink)
def test_inks_can_be_read_on_white_and_on_black(ink: Ink) -> None:
    """Every colour has a contrast of 4.5:1 with both; without one it is the terminal's own."""
    colours = [colour for colour in (ink.value.rgb, ink.value.number and of_256(ink.value.number)) if colour]
    assert all(min(contrasts(*colour)) >= 4.5 for colour in colours)


@given(HOSTILE, HOSTILE)
def test_nothing_but_printable_characters_and_our_own_colours(text: str, coloured: str) -> None:
    """Whatever the text is, a terminal gets signs, lines and the colours that were asked for, in pairs."""
    for colours in Colours:
        shown = paint([text, Span(coloured, Ink.RED)], colours)
        ours = INK.findall(shown)
        assert len(ours) == (2 if colours and "\x1b[0m" in shown else 0)
        rest = INK.sub("", shown).replace("\n", "").replace("\t", "")
        assert not {unicodedata.category(char) for char in rest} & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text("[]boldred/:x39 smile\\", max_size=40))
def test_what_looks_like_markup_is_text(text: str) -> None:
    """Brackets and colons are what they are."""
    assert paint([text, Span(text, Ink.BOLD)], Colours.NONE) == 2 * text


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({}, Colours.NONE),
        ({"FORCE_COLOR": "1"}, Colours.MANY),
        ({"FORCE_COLOR": "0"}, Colours.NONE),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Colours.NONE),
        ({"FORCE_COLOR": "3", "COLORTERM": "truecolor"}, Colours.ALL),
    ],
)
def test_colours_into_a_pipe(environment: dict[str, str], colours: Colours, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are none unless they are forced, and NO_COLOR has the last word."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colours_of(io.StringIO()) is colours


def test_a_reader_who_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said to nobody goes nowhere, now and later."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        say("to nobody")
        say("nor this")
        assert os.fstat(writing).st_rdev == Path(os.devnull).stat().st_rdev


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants our output is told that it is not all there."""
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(OutputError, match=os.strerror(errno.ENOSPC)):
            say("to a full disk")
        monkeypatch.setattr(sys, "stderr", stream)
        say("an error that nobody hears", err=True)


def test_a_closed_output_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has no stream where a descriptor was closed at its start."""
    monkeypatch.setattr(sys, "stdout", None)
    say("to nobody")
