"""Keys, from the bytes that a terminal sends for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.cli.keys import BACKSPACE, DOWN, END, ENTER, ESCAPE, HOME, PAGE_DOWN, PAGE_UP, UP, Keys


def keys(*chunks: bytes) -> list[str]:
    """Return the keys of what was read, one piece after another."""
    reading = Keys()
    return [key for chunk in chunks for key in reading.feed(chunk)]


@pytest.mark.parametrize(
    ("sent", "pressed"),
    [
        (b"j?+", ["j", "?", "+"]),
        (b"\r\n", [ENTER, ENTER]),
        (b"\x7f\x08", [BACKSPACE, BACKSPACE]),
        (b"\x1b", [ESCAPE]),
        (b"\x1b\x1b", [ESCAPE, ESCAPE]),
        (b"\x1b[A\x1b[B\x1bOA\x1bOB", [UP, DOWN, UP, DOWN]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[F", [PAGE_UP, PAGE_DOWN, HOME, END]),
        ("ä日".encode(), ["ä", "日"]),
        (b"\x1b[1;5Cx\x1b[<0;1;1M", ["x"]),  # Ctrl-Right, a click: nobody needs them
        (b"\x00\x03\x04", []),
    ],
)
def test_what_a_terminal_sends(sent: bytes, pressed: list[str]) -> None:
    """Each key is one, whatever it is sent as; what nobody needs does nothing."""
    assert keys(sent) == pressed


def test_a_character_may_come_in_pieces() -> None:
    """The bytes of one letter are read together, wherever they are cut."""
    sent = "aä日😀".encode()
    for place in range(len(sent)):
        assert keys(sent[:place], sent[place:]) == list("aä日😀")


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_whatever_is_sent_does_no_harm(chunks: list[bytes]) -> None:
    """Every key is a name or one printable character."""
    names = {BACKSPACE, DOWN, END, ENTER, ESCAPE, HOME, PAGE_DOWN, PAGE_UP, UP}
    assert all(key in names or (len(key) == 1 and key.isprintable()) for key in keys(*chunks))
