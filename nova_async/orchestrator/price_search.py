"""Finds the prices that a run of a plan would estimate by."""

from importlib.metadata import PackageNotFoundError, version

from nova_async.cascade import Cascade
from nova_async.orchestrator.cost_sources import KnownPrices, models_without_entry
from nova_async.prices import Prices
from nova_async.worker.published_prices import PUBLISHED

__all__ = ["find_prices"]


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


def installed_version() -> str:
    """Return the version of the package, which is also that of its prices."""
    try:
        return version("genai-prices")
    except PackageNotFoundError:  # a folder that somebody put in its place
        return "of an unknown version"
