"""What an attempt has cost by prices, where its agent has not told: reckoned once, from its final numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nova_async.agents import AGENTS
from nova_async.agents.registry import PLAIN
from nova_async.prices import Prices
from nova_async.records import AttemptEnd
from nova_async.worker.pricing import estimate_of
from nova_async.worker.published_prices import PUBLISHED

__all__ = ["waits_for_prices", "with_estimate"]


def with_estimate(
    end: AttemptEnd,
    prices: Prices,
    agent: str,
    command: Sequence[str],
    kept_an_hour: Mapping[str, int] | None = None,
) -> AttemptEnd:
    """Return the end of an attempt with the estimate of its cost, by all prices that are known now.

    There is none if its agent told the cost, if nothing was used, or if a price is not known. ``agent`` is whose output
    it was, and ``command`` its command line, which names the model of agents that do not name it themselves;
    ``kept_an_hour`` is that of its report.
    """
    if not end.usage.total:
        return end
    model = AGENTS.get(agent, PLAIN).model_of(command)
    return replace(end, estimated_usd=estimate_of(end, prices, model, kept_an_hour))


def waits_for_prices(end: AttemptEnd, prices: Prices) -> bool:
    """Tell whether the published prices could give an estimate that there is not yet: ``PUBLISHED.read`` reads them."""
    is_open = end.cost_usd is None and end.estimated_usd is None and bool(end.usage.total)
    return is_open and prices.listed and not PUBLISHED.is_settled
