"""Durations, money, numbers and the other values of a cell; options by name."""

from collections.abc import Callable

import pytest

from nova_async.cascade import CascadeError, TaskOptions, parse_cascade, parse_option
from nova_async.cascade.ids import clean_id, is_task_id, open_range
from nova_async.cascade.values import (
    is_nothing,
    parse_command,
    parse_duration,
    parse_duration_range,
    parse_list,
    parse_money,
    parse_pace,
    parse_priority,
    parse_size,
    parse_yes_no,
    whole_number,
)

SECONDS = {
    "90": 90.0,
    "90s": 90.0,
    "0.5s": 0.5,
    "250ms": 0.25,
    "30m": 1800.0,
    "2h": 7200.0,
    "1h30m": 5400.0,
    "1h 30m": 5400.0,
    "1d": 86400.0,
    "1.5h": 5400.0,
    "1D2H3M4S5MS": 93784.005,
    "0": 0.0,
}


def test_a_pause_that_never_grows() -> None:
    """A range may be one moment, but never go backwards."""
    assert parse_duration_range("30s..30s") == (30.0, 30.0)
    with pytest.raises(ValueError, match="not a range of durations"):
        parse_duration_range("31s..30s")


def test_the_documented_number_of_retries() -> None:
    """One, where nobody says otherwise."""
    assert TaskOptions().retries == 1


@pytest.mark.parametrize(("text", "seconds"), SECONDS.items(), ids=SECONDS.keys())
def test_durations(text: str, seconds: float) -> None:
    """A duration is read as seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


SIZES = {
    "1073741824": 1 << 30,
    "100B": 100,
    "4GiB": 4 << 30,
    "4 gib": 4 << 30,
    "1.5G": 3 << 29,
    "500MB": 500_000_000,
    "512m": 512 << 20,
    "64K": 64 << 10,
    "1TB": 10**12,
    "1TiB": 1 << 40,
}


@pytest.mark.parametrize(("text", "size"), SIZES.items(), ids=SIZES.keys())
def test_sizes(text: str, size: int) -> None:
    """A size is read as bytes: a unit alone counts as with an i, and only with a B by thousands."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "meant"),
    [("4", "4GB"), (" 1.5 ", "1.5GB"), ("512", "512MB"), ("8192", "8192MB"), ("1000000", "4GB or 500MB")],
)
def test_a_size_that_forgot_its_unit(text: str, meant: str) -> None:
    """Nobody means 4 bytes by 4: the error says what to write, wherever a size may stand."""
    with pytest.raises(ValueError, match=f"without a unit means bytes: write {meant}$"):
        parse_size(text)
    for key in ("max_memory", "min_free_memory"):
        with pytest.raises(CascadeError, match=f"{key}: '{text.strip()}' without a unit"):
            parse_cascade(f"+++\n{key} = {text}\n+++\n- [ ] A1 x\n")
    assert (parse_size("1048576"), parse_size("4B")) == (1 << 20, 4)


def test_a_duration_that_no_calendar_has() -> None:
    """What is added to a moment must still be one; a century is long enough for anybody."""
    assert parse_duration("36500d") == 36500 * 86400
    for text in ("36501d", "999999999999999", "999999999999999d"):
        with pytest.raises(ValueError, match="longer than 100 years"):
            parse_duration(text)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((parse_duration, text) for text in ("soon", "", "m", "-5", "30m1h", "1h1h", "1e3", "5 min", "\u0663", "inf")),
        *(
            (parse_size, text)
            for text in ("", "much", "0", "0GiB", "-1", "1e3", "1GG", "1 bit", "iB", "\u0663", "9" * 99)
        ),
        *((parse_money, text) for text in ("", "free", "0", "0.00", "-1", "1,000", "1e3", "$")),
        *((whole_number(), text) for text in ("", "1.5", "-1", "two", "\u0663", "9" * 99)),
        *((parse_priority, text) for text in ("", "P10", "-1", "high", "1.5")),
        *((parse_yes_no, text) for text in ("", "maybe", "1")),
        *(
            (parse_pace, text)
            for text in ("", "slow", "0", "1", "80", "1.5", "120%", "100%", "0%", "-1", "1e-1", "nan")
        ),
        *((parse_command, text) for text in ("", "say 'hi", "''")),
    ],
)
def test_values_that_are_none(read: Callable[[str], object], text: str) -> None:
    """Whatever cannot be meant is refused, with the author's own words in the message."""
    with pytest.raises(ValueError, match=r"'.*'") as caught:
        read(text)
    assert not isinstance(caught.value, UnicodeError)


def test_money_numbers_and_the_rest() -> None:
    """Every other kind of value, in the ways people write it."""
    assert [parse_money(text) for text in ("4.50", "$4.50", "5 USD", "0.01")] == [4.5, 4.5, 5.0, 0.01]
    assert [whole_number()(text) for text in ("0", " 12 ", "1_000")] == [0, 12, 1000]
    assert [parse_priority(text) for text in ("0", "P0", "p9", "12")] == [0, 0, 9, 12]
    assert [parse_pace(text) for text in ("on", " Off", "0.8", "80%", "7.5 %")] == ["on", "off", 0.8, 0.8, 0.075]
    assert [parse_yes_no(text) for text in ("yes", "No", "TRUE", "false")] == [True, False, True, False]
    assert parse_command("pytest -k 'a b'") == ("pytest", "-k", "a b")
    assert parse_list("a, b;c  #d, a") == ("a", "b", "c", "d")
    assert all(map(is_nothing, ("", " ", "-", "—", "\u2013", "None", "N/A")))


def test_options_by_name() -> None:
    """A command line can name an option as a column does, and gets the attribute and the value."""
    assert parse_option("idle-timeout".replace("-", "_"), "5m") == ("idle_timeout", 300.0)
    assert parse_option("Class", "tests") == ("task_class", "tests")
    assert parse_option("timeout", "off") == ("timeout", None)
    with pytest.raises(ValueError, match=r"agent: 'cluade' is not one of .*did you mean 'claude'"):
        parse_option("agent", "cluade")
    with pytest.raises(ValueError, match="'colour' is not an option"):
        parse_option("colour", "red")


def test_layers_of_options() -> None:
    """The first layer wins, the built-in values are below all; a name that is no option is refused."""
    assert TaskOptions.layered() == TaskOptions()
    assert TaskOptions.layered({"retries": 0}, {"retries": 5, "slots": 2}) == TaskOptions(retries=0, slots=2)
    with pytest.raises(TypeError):
        TaskOptions.layered({"colour": "red"})


def test_ids() -> None:
    """ASCII letters and digits in single joints; nothing that could leave a folder or break a file name."""
    for text in ("F1", "a", "T001", "API-2", "1.2.3", "a_b", "x" * 64):
        assert is_task_id(text)
    for text in ("", "F 1", "-a", "a-", "a--b", "a..b", "..", "a/b", "\u00e9", "\u0663", "F1\n", "x" * 65):
        assert not is_task_id(text)
    assert [clean_id(text) for text in ("`F1`", "#F1", " **F1** ", "T\\_1", "`#7`")] == ["F1", "F1", "F1", "T_1", "7"]


def test_ranges() -> None:
    """A range keeps its zeros and its prefix; slips of the hand are no ranges."""
    assert open_range("1..3") == ("1", "2", "3")
    assert open_range("T09-T11") == ("T09", "T10", "T11")
    assert open_range("API-1-API-3") == ("API-1", "API-2", "API-3")
    assert open_range("API-1-3") == ("API-1", "API-2", "API-3")
    assert open_range("1.1-1.3") == ("1.1", "1.2", "1.3")
    assert open_range("F2-F2") == ("F2",)
    for text in ("F3-F1", "F1-G3", "F1", "F-G", "F1-F999999999", "F1-", "-F1"):
        assert open_range(text) is None
