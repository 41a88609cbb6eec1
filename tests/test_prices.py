"""What tokens cost by a list of prices: additive, monotone, and unknown where one price is."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nova_async.prices import ModelPrice, Prices, spellings
from nova_async.usage import TokenUsage

TOKENS = some.integers(0, 10**9)
USAGES = some.builds(TokenUsage, TOKENS, TOKENS, TOKENS, TOKENS)
AMOUNTS = some.floats(0, 1000)
MODEL_PRICES = some.builds(ModelPrice, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, some.none() | AMOUNTS)
KNOWN = ModelPrice(3.0, 15.0, 0.3, 3.75, 6.0)
NAMES = ("a", "b", "c", "d")
TABLES = some.fixed_dictionaries(dict.fromkeys(NAMES, MODEL_PRICES))
PARTS = some.dictionaries(some.sampled_from(NAMES), USAGES, min_size=1)


def whole(parts: dict[str, TokenUsage]) -> TokenUsage:
    """Add up the parts."""
    return sum(parts.values(), TokenUsage())


@given(MODEL_PRICES, USAGES, USAGES)
def test_what_costs_together_what_it_costs_apart(price: ModelPrice, one: TokenUsage, other: TokenUsage) -> None:
    """Tokens may be counted in any portions."""
    apart = (price.cost_of(one) or 0.0) + (price.cost_of(other) or 0.0)
    together = price.cost_of(one + other)
    assert together is not None
    assert math.isclose(together, apart, rel_tol=1e-9)


@given(MODEL_PRICES, USAGES, USAGES)
def test_more_tokens_never_cost_less(price: ModelPrice, some_tokens: TokenUsage, more: TokenUsage) -> None:
    """So a live estimate never falls while the counts grow."""
    assert (price.cost_of(some_tokens + more) or 0.0) >= (price.cost_of(some_tokens) or 0.0) * (1 - 1e-12)


@given(USAGES, TOKENS)
def test_an_hour_in_the_cache_costs_more_than_five_minutes(usage: TokenUsage, kept: int) -> None:
    """And those kept for an hour are part of what was written, however many are told."""
    mixed, short = KNOWN.cost_of(usage, kept), KNOWN.cost_of(usage, 0)
    long = KNOWN.cost_of(usage, usage.cache_creation_tokens)
    assert KNOWN.cost_of(usage) == long, "where it is not known, no budget may be exceeded unnoticed"
    assert mixed is not None and short is not None and long is not None  # noqa: PT018
    assert short <= mixed <= long * (1 + 1e-12)


def test_the_figure_of_an_agent_that_reckons_itself() -> None:
    """The tokens of a recorded call, with its cache entries of both kinds, cost what Claude says that they do."""
    usage = TokenUsage(101, 1009, 10007, 8004)
    assert KNOWN.cost_of(usage, 5003) == pytest.approx(0.05971185, abs=1e-12)
    assert ModelPrice(3.0, 15.0, 0.3, 3.75).cost_of(usage, 5003) == pytest.approx(0.05971185, abs=1e-12)


@given(TABLES, PARTS)
def test_models_add_up_in_any_order(table: dict[str, ModelPrice], parts: dict[str, TokenUsage]) -> None:
    """The estimate of all is the sum of the models' estimates, whichever is named first."""
    prices, usage = Prices(table, listed=False), whole(parts)
    estimate = prices.estimate(usage, parts)
    backwards = prices.estimate(usage, dict(reversed(parts.items())))
    if not usage.total:
        assert (estimate, backwards) == (None, None)
        return
    assert estimate == backwards
    # Each is rounded to whole nano-dollars.
    assert estimate == pytest.approx(sum(prices.estimate_by_model(parts).values()), rel=1e-9, abs=1e-9 * len(parts))


@given(TABLES, PARTS, USAGES.filter(lambda usage: usage.total > 0))
def test_one_unknown_part_makes_all_unknown(
    table: dict[str, ModelPrice], parts: dict[str, TokenUsage], more: TokenUsage
) -> None:
    """Be it a model without a price, a kind without one, or tokens that no model is named for; never a guess."""
    prices = Prices(table, listed=False)
    assert prices.estimate(whole(parts) + more, {**parts, "unknown": more}) is None
    assert prices.estimate(whole(parts) + more, parts) is None
    assert prices.estimate(whole(parts) + more, parts, model="a") is None
    cached = Prices({**table, "x": ModelPrice(1.0, 1.0)}, listed=False)
    used = TokenUsage(1, 1, cache_read_tokens=more.total)
    assert cached.estimate(whole(parts) + used, {**parts, "x": used}) is None
    assert cached.estimate(TokenUsage(1, 1), {"x": TokenUsage(1, 1)}) is not None


def test_a_model_that_used_nothing_needs_no_price() -> None:
    """Agents name models that they asked in vain."""
    assert Prices({"a": KNOWN}).estimate(TokenUsage(1), {"a": TokenUsage(1), "?": TokenUsage()}) == pytest.approx(3e-6)


def test_tokens_without_a_model_are_those_of_the_command() -> None:
    """Where the agent names no model at all."""
    prices = Prices({"a": KNOWN}, listed=False)
    assert prices.estimate(TokenUsage(1_000_000), {}, model="a") == 3.0
    assert prices.estimate(TokenUsage(1_000_000), {}) is None
    assert prices.estimate(TokenUsage(), {}, model="a") is None


def test_a_price_of_zero_is_a_price() -> None:
    """What the author calls free is no unknown."""
    free = Prices({"a": ModelPrice(0.0, 0.0, 0.0, 0.0)}, listed=False)
    assert free.estimate(TokenUsage(1, 2, 3, 4), {"a": TokenUsage(1, 2, 3, 4)}) == 0.0


@pytest.mark.parametrize(
    "told",
    [
        "claude-sonnet-4-5", "Claude-Sonnet-4-5", " claude-sonnet-4-5 ", "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5-2025-09-29", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-latest",
        "claude-sonnet-4-5[1m]", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5-20250929[1m]",
    ],
)  # fmt: skip
def test_other_names_of_the_same_model(told: str) -> None:
    """A snapshot, its maker in front and the size of its context name no other model."""
    assert Prices({"claude-sonnet-4-5": KNOWN}, listed=False).of(told) == KNOWN


@pytest.mark.parametrize(
    "told",
    [
        "claude-sonnet-4", "claude-sonnet-4-55", "claude-sonnet-4-5-mini", "my-claude-sonnet-4-5", "claude-sonnet-4-6",
        "openrouter/claude-sonnet-4-5", "me/claude-sonnet-4-5", "claude-sonnet-4-5-1", "claude-sonnet-4-5:free", "",
        "us.anthropic.claude-sonnet-4-5", "/claude-sonnet-4-5",
    ],
)  # fmt: skip
def test_names_of_other_models(told: str) -> None:
    """What may be another model, or is sold at a reseller's price, has no price."""
    assert Prices({"claude-sonnet-4-5": KNOWN}, listed=False).of(told) is None


def test_the_nearest_name_counts() -> None:
    """A snapshot may have a price of its own; and what is given stands above what is published."""
    dear = ModelPrice(9.0, 9.0)
    prices = Prices({"m": KNOWN, "m-20250929": dear})
    assert (prices.of("m-20250929"), prices.of("m-20251001"), prices.of("M")) == (dear, KNOWN, KNOWN)
    published = {"m": dear, "n": dear}.get
    assert (prices.of("m", published), prices.of("n", published)) == (KNOWN, dear)
    assert Prices({}, listed=False).of("n", published) is None
    assert Prices().of("n") is None, "nothing is published unless somebody says so"


@given(some.text(max_size=40))
def test_any_text_has_few_spellings(text: str) -> None:
    """A name is an agent's: it may be anything, and costs no time."""
    assert 1 <= len(list(spellings(text))) <= 3 + 2 * text.count("/")


def test_prices_travel() -> None:
    """To other machines, with their jobs."""
    prices = Prices({"M": KNOWN}, listed=False)
    again = pickle.loads(pickle.dumps(prices))
    assert (again, again.of("m")) == (prices, KNOWN)


def test_what_is_kept_is_found_by_the_name_without_its_option() -> None:
    """Claude's totals name it, and its answers do not."""
    used = {"m[1m]": TokenUsage(cache_creation_tokens=1_000_000)}
    assert Prices({"m": KNOWN}, listed=False).estimate_by_model(used, kept_an_hour={"m": 400_000}) == {"m[1m]": 4.65}
    assert Prices({"m": KNOWN}, listed=False).estimate_by_model(used, kept_an_hour={"m": 0}) == {"m[1m]": 3.75}
