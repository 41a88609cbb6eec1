"""Finds the prices that a run of a plan would estimate by."""

from collections.abc import Callable
from functools import cache

from nova_async.cascade import Cascade
from nova_async.orchestrator.cost_sources import KnownPrices, models_without_entry
from nova_async.orchestrator.countable import Counted
from nova_async.prices import Prices
from nova_async.worker.published_prices import PUBLISHED

__all__ = ["can_be_estimated", "find_prices", "may_be_estimated"]


def find_prices(cascade: Cascade, *, for_budgets: bool = False) -> KnownPrices:
    """Return the prices for a plan.

    The published ones are read, which takes a second, only where they decide: a model is named that has no entry in
    the plan; with ``for_budgets`` only if its task has a budget in dollars.
    """
    prices = Prices(cascade.settings.prices)
    if not PUBLISHED.is_installed:
        return KnownPrices(prices)
    if any(models_without_entry(cascade, prices, with_budget=for_budgets)):
        PUBLISHED.read()
    return KnownPrices(prices, PUBLISHED.of, PUBLISHED.version or installed_version())


def can_be_estimated(cascade: Cascade) -> Callable[[Counted], bool]:
    """Return what tells whether a cost can be estimated; it looks for prices when it is first asked.

    So most plans, which have no budget in dollars, do without.
    """
    prices = cache(lambda: find_prices(cascade, for_budgets=True))
    return lambda counted: prices().has(counted)


def may_be_estimated(cascade: Cascade) -> Callable[[Counted], bool]:
    """Return what tells whether a cost may be estimated, without reading the published prices for it."""
    prices = KnownPrices(Prices(cascade.settings.prices))

    def tell(counted: Counted) -> bool:
        has_published = PUBLISHED.is_installed and counted.tells_tokens and bool(counted.agent.program)
        return has_published or prices.has(counted)

    return tell


def installed_version() -> str:
    """Return the version of the package, which is also that of its prices."""
    from importlib.metadata import PackageNotFoundError, version  # with all that reads e-mail

    try:
        return version("genai-prices")
    except PackageNotFoundError:  # a folder that somebody put in its place
        return "of an unknown version"
