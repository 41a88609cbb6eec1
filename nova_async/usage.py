"""How many tokens an agent has used, and what they have cost as far as that is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import final

from nova_async._core.money import without_dust

__all__ = ["Gauge", "TokenUsage", "Totals"]


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of four disjoint kinds: ``input_tokens`` never includes cached ones, so the sum is the total."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0

    @property
    def total(self) -> int:
        """All four kinds together, in tokens."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_creation_tokens

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        if not isinstance(other, TokenUsage):
            return NotImplemented
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_creation_tokens + other.cache_creation_tokens,
        )

    def __radd__(self, other: object) -> "TokenUsage":
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def as_dict(self) -> dict[str, int]:
        """Return the four kinds by name, in tokens, as the state file and ``get_token_usage()`` hold them."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_creation_tokens": self.cache_creation_tokens,
        }


@dataclass(frozen=True, slots=True)
class Gauge:
    """How full one of the account's usage limits is, as the agent last told.

    ``kind`` is the agent's own word for the limit, such as ``"five_hour"``; ``used`` goes from 0 to 1. ``resets_at`` is
    in UTC, None where it was not said.
    """

    kind: str
    used: float
    resets_at: datetime | None = None


@final
@dataclass(slots=True)
class Totals:
    """A running sum over attempts or tasks that never takes an unknown for zero."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_by_model: dict[str, TokenUsage] = field(default_factory=dict)
    """As far as agents name their models; it may add up to less than ``usage``."""
    usage_is_final: bool = True
    """Whether every part was the agent's own total, with nothing known to be missing."""
    cost_usd: float | None = None
    """The sum of what agents have reported; None if none has."""
    estimated_usd: float | None = None
    """The sum of the estimates, which stand for parts whose agents reported no cost; None if there is none."""
    cost_is_complete: bool = True
    """False if some part used tokens whose cost is unknown: both sums together are then a lower bound."""
    duration_seconds: float = 0.0
    """Working time."""

    def add(
        self,
        usage: TokenUsage,
        *,
        usage_by_model: Mapping[str, TokenUsage] | None = None,
        usage_is_final: bool = True,
        cost_usd: float | None = None,
        estimated_usd: float | None = None,
        cost_is_complete: bool | None = None,
        duration_seconds: float = 0.0,
    ) -> None:
        """Add one part; ``cost_is_complete`` is worked out unless the part is a sum itself."""
        self.usage += usage
        for model, used in (usage_by_model or {}).items():
            self.usage_by_model[model] = self.usage_by_model.get(model, TokenUsage()) + used
        self.usage_is_final &= usage_is_final
        if cost_usd is not None:
            self.cost_usd = without_dust((self.cost_usd or 0.0) + cost_usd)
        if estimated_usd is not None:
            self.estimated_usd = without_dust((self.estimated_usd or 0.0) + estimated_usd)
        if cost_is_complete is None:
            is_estimated = estimated_usd is not None and usage_is_final
            cost_is_complete = cost_usd is not None or is_estimated or (usage_is_final and not usage.total)
        self.cost_is_complete &= cost_is_complete
        self.duration_seconds += duration_seconds
