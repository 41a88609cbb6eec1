"""One line for a person, of a bounded length."""

import pytest

from nova_async._core.text import MAX_LINE_SHOWN, one_line


@pytest.mark.parametrize("limit", [MAX_LINE_SHOWN, 10])
def test_a_line_is_cut_only_beyond_its_limit(limit: int) -> None:
    """What just fits stays whole; one character more, and the mark takes the last place."""
    assert one_line("x" * limit, limit) == "x" * limit
    assert one_line("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"
