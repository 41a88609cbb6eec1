"""What tokens cost by a list of prices. An estimate is never a guess: where one price is unknown, so is the sum."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

from nova_async._core.money import without_dust
from nova_async.usage import TokenUsage

__all__ = ["Lookup", "ModelPrice", "Prices", "spellings"]

PER_MILLION = 1e6  # tokens
# Times the price of input is what Anthropic takes for a cache entry that lives for an hour:
# https://docs.claude.com/en/docs/build-with-claude/prompt-caching#pricing
FOR_AN_HOUR = 2.0

# A snapshot costs what its model costs: claude-sonnet-4-5-20250929, gpt-5-2025-08-07, claude-sonnet-4@20250514.
SNAPSHOT = re.compile(r"(?:[-@]20\d{6}|-20\d\d-\d\d-\d\d|-latest)$")
LONG_CONTEXT = "[1m]"  # an option of the agent's, behind the name of the model
# Who makes a model sells it at its usual price. Resellers (OpenRouter, Azure, Bedrock …) have prices of their own.
MAKERS = frozenset(
    {
        *("anthropic", "openai", "google", "gemini", "models", "qwen", "deepseek", "mistral", "mistralai"),
        *("moonshotai", "x-ai", "xai", "zai", "z-ai", "minimax"),
    }
)

Lookup = Callable[[str], "ModelPrice | None"]
"""Gives the price of a model by its exact name in small letters, or None."""


@final
@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens; None where nobody gave a price, which is not the same as free."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    """Of a cache entry that lives for five minutes, or of any where there is only one kind."""
    cache_write_1h: float | None = None
    """Of a cache entry that lives for an hour; by default twice the price of input."""

    def cost_of(self, usage: TokenUsage, kept_an_hour: int | None = None) -> float | None:
        """Return what tokens cost, in US dollars; None if a price is missing that is needed.

        ``kept_an_hour`` are those of ``cache_creation_tokens`` that were written for an hour. Where that is not known,
        the dearer price counts for all of them, so that no budget is exceeded unnoticed.
        """
        created = usage.cache_creation_tokens
        an_hour = FOR_AN_HOUR * self.input if self.cache_write_1h is None else self.cache_write_1h
        if kept_an_hour is None:
            is_dearer = self.cache_write_1h is not None and self.cache_write_1h > (self.cache_write or 0.0)
            kept_an_hour = created if is_dearer else 0
        kept_an_hour = min(kept_an_hour, created)
        parts = (
            (usage.input_tokens, self.input),
            (usage.output_tokens, self.output),
            (usage.cache_read_tokens, self.cache_read),
            (created - kept_an_hour, self.cache_write),
            (kept_an_hour, an_hour),
        )
        total = 0.0
        for tokens, price in parts:
            if not tokens:
                continue
            if price is None:
                return None
            total += tokens * price
        return total / PER_MILLION


def no_price(_: str) -> ModelPrice | None:
    """Know no price."""
    return None


@final
@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of models: those given here, and the published ones for all others.

    ``listed`` says whether the prices of the package genai-prices count for models that are not in ``table``; it is
    the extra ``[prices]``, and without it there are none. A model is found by its exact name, whatever the case; then
    without the date of its snapshot (``-20250929``, ``-2025-09-29``, ``-latest``), its maker's name in front
    (``anthropic/``) and ``[1m]`` behind.
    """

    table: Mapping[str, ModelPrice] = field(default_factory=dict, hash=False)
    listed: bool = True
    _by_name: Mapping[str, ModelPrice] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {name.strip().lower(): price for name, price in self.table.items()})

    def given(self, model: str) -> ModelPrice | None:
        """Return the price of a model that is in the table; None for any other."""
        return first_of(self._by_name.get, model)

    def of(self, model: str, published: Lookup = no_price) -> ModelPrice | None:
        """Return the price of a model: that of the table, else the published one."""
        return self.given(model) or (first_of(published, model) if self.listed else None)

    def estimate(
        self,
        usage: TokenUsage,
        usage_by_model: Mapping[str, TokenUsage],
        *,
        model: str | None = None,
        kept_an_hour: Mapping[str, int] | None = None,
        published: Lookup = no_price,
    ) -> float | None:
        """Return what tokens cost, in US dollars; None if one part has no known price, and where there are none.

        Where no model is named with its tokens, all of them are taken for those of ``model``. Where models are named
        whose tokens add up to less than ``usage``, nobody knows what the rest costs. ``kept_an_hour`` are the tokens
        that each model has written into caches for an hour.
        """
        if not usage.total:
            return None
        parts = usage_by_model or ({model: usage} if model else {})
        if not covers(parts, usage):
            return None
        by_model = self.estimate_by_model(parts, kept_an_hour=kept_an_hour, published=published)
        return without_dust(math.fsum(by_model.values())) if len(by_model) == len(parts) else None

    def estimate_by_model(
        self,
        usage_by_model: Mapping[str, TokenUsage],
        *,
        kept_an_hour: Mapping[str, int] | None = None,
        published: Lookup = no_price,
    ) -> dict[str, float]:
        """Return what the tokens of each model cost, in US dollars; models of unknown cost are left out."""
        costs, kept = {}, kept_an_hour or {}
        for model, used in usage_by_model.items():
            price = self.of(model, published) if used.total else FREE
            long = kept.get(model, kept.get(model.removesuffix(LONG_CONTEXT)))  # its answers do not name that option
            cost = None if price is None else price.cost_of(used, long)
            if cost is not None:
                costs[model] = cost
        return costs


FREE = ModelPrice(0.0, 0.0)  # of a model that has used nothing


def covers(parts: Mapping[str, TokenUsage], usage: TokenUsage) -> bool:
    """Tell whether the parts are all of it, kind by kind."""
    known = sum(parts.values(), TokenUsage()).as_dict()
    return all(known[kind] >= count for kind, count in usage.as_dict().items())


def first_of(prices: Lookup, model: str) -> ModelPrice | None:
    """Return the price that stands under the nearest spelling of a model's name."""
    return next((price for name in spellings(model) if (price := prices(name)) is not None), None)


def spellings(model: str) -> Iterator[str]:
    """Give the names under which the price of this very model may stand, the nearest first."""
    name = model.strip().lower()
    yield name
    name = name.removesuffix(LONG_CONTEXT)
    while True:
        yield name
        yield SNAPSHOT.sub("", name)
        maker, slash, name = name.partition("/")
        if not slash or maker not in MAKERS:
            return
