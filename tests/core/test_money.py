"""Amounts of money, as people and programs read them."""

import math

import pytest

from nova_async._core.money import dollars, plain_amount, without_dust


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0.0, "$0.00"), (0.004, "$0.004"), (0.00421, "$0.0042"), (0.0000123, "$0.000012"), (1e-9, "$0.000000001"),
        (0.00999, "$0.01"), (0.15, "$0.15"), (1234.5, "$1,234.50"),
    ],
)  # fmt: skip
def test_amounts_for_people(usd: float, words: str) -> None:
    """In cents, or with the digits that tell one small amount from another, and never with an exponent."""
    assert dollars(usd) == words


@pytest.mark.parametrize(("usd", "words"), [(5.0, "5"), (0.5, "0.5"), (1e-9, "0.000000001"), (0.1 + 0.2, "0.3")])
def test_amounts_for_programs(usd: float, words: str) -> None:
    """In digits alone."""
    assert plain_amount(usd) == words


@pytest.mark.parametrize(
    ("usd", "clean"),
    [
        (0.1 + 0.2, 0.3),
        (0.7 + 0.1, 0.8),
        (1e-9, 1e-9),
        (1e300, 1e300),
        (math.inf, math.inf),
        (0.23967120000000001, 0.2396712),
    ],
)
def test_money_has_no_dust(usd: float, clean: float) -> None:
    """It is given in whole nano-dollars; what is no amount stays what it is."""
    assert without_dust(usd) == clean
