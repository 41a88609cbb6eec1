"""Values of a file that anybody may have written are what they should be, or nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from nova_async.journal.foreign_json import (
    as_count,
    as_flag,
    as_moment,
    as_number,
    as_pid,
    as_table,
    as_text,
    as_texts,
    as_word,
)
from nova_async.words import Phase

STRANGE: list[Any] = [None, True, False, -1, -0.5, 1e999, float("nan"), 10**400, "", "x", [], [1], {}, {"a": 1}]


def test_what_is_none_of_them() -> None:
    """Anything that is not of a kind is nothing of that kind."""
    for value in STRANGE:
        assert as_number(value) is None
        assert as_moment(value) is None
        assert as_word(Phase, value) is None
        assert as_pid(value) is None
    assert [as_count(value) for value in STRANGE] == [0] * 7 + [2**63 - 1] + [0] * 6
    assert [as_text(value) for value in STRANGE] == [None] * 8 + ["", "x"] + [None] * 4
    assert [as_flag(value, True) for value in STRANGE].count(False) == 1
    assert [as_table(value) for value in STRANGE] == [{}] * 13 + [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-02T03:04:05", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05.678+05:30", datetime(2030, 1, 1, 21, 34, 5, 678000, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:30", None),
        ("tomorrow", None),
    ],
)
def test_moments(text: str, moment: datetime | None) -> None:
    """Each is in UTC, also where it was written with another zone or none."""
    assert as_moment(text) == moment


def test_numbers_and_pids() -> None:
    """Whole numbers are exact; a pid is one that the system could have given."""
    assert (as_count(2**53 + 1), as_count(2.9), as_number(2**53)) == (2**53 + 1, 2, 2.0**53)
    assert [as_pid(value) for value in (0, 1, 2**31 - 1, 2**31, 1.0)] == [None, 1, 2**31 - 1, None, None]


def test_texts() -> None:
    """Of a list those that are texts are taken; halves of surrogate pairs are spelled out."""
    assert as_texts(["a", 1, None, "ö", "\udcff", "\ud83d"]) == ("a", "ö", "\\xff", "\\ud83d")
    assert as_texts("abc") == ()
