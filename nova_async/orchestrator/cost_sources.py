"""How the cost of each task will be known: reported by its agent, estimated by prices, or not at all. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

from nova_async.cascade import Cascade
from nova_async.orchestrator.countable import Counted, counted_tasks
from nova_async.prices import Lookup, Prices, no_price

__all__ = ["NO_PRICES", "KnownPrices", "cost_sources", "models_without_entry"]


@final
@dataclass(frozen=True, slots=True)
class KnownPrices:
    """The prices that a run would estimate by."""

    prices: Prices = field(default_factory=lambda: Prices(listed=False))
    published: Lookup = no_price
    version: str = ""
    """Of the package that publishes prices; empty where it is not installed."""

    def has(self, counted: Counted) -> bool:
        """Tell whether a task's cost can be estimated, as far as that can be known beforehand.

        Where no model is named, the agent may name one: then any price may be the right one.
        """
        if not counted.tells_tokens or not counted.agent.program:
            return False
        if (model := decisive_model(counted)) is None:
            return bool(self.prices.table or self.version)
        return self.prices.of(model, self.published) is not None

    def whence(self, model: str | None) -> str:
        """Say whose prices they are; those of one model, or of any."""
        package = f"genai-prices {self.version}" if self.version else ""
        if model is None:
            return " and ".join(filter(None, ("`prices`" if self.prices.table else "", package)))
        return "`prices`" if self.prices.given(model) is not None else package


def decisive_model(counted: Counted) -> str | None:
    """Return the model by whose price a task is estimated; None where only the agent will name it."""
    return None if counted.agent.names_models else counted.model


NO_PRICES = KnownPrices()


def cost_sources(cascade: Cascade, known: KnownPrices) -> dict[str, list[str]]:
    """Say how the cost will be known, each way with the ids of its tasks."""
    found: dict[str, list[str]] = {}
    for task, counted in counted_tasks(cascade, cascade.tasks.values()):
        if counted.agent.program:
            found.setdefault(source_of(counted, known), []).append(task.id)
    return found


def source_of(counted: Counted, known: KnownPrices) -> str:
    """Say how the cost of one agent will be known."""
    name, model = counted.agent.name, decisive_model(counted)
    can_estimate = known.has(counted)
    by = f"estimated by {known.whence(model)}"
    by += f" for {model}" if model is not None else ", if its model has a price there"
    if counted.agent.costs_live and counted.tells_tokens:
        return f"reported by {name}"
    if counted.agent.tells_cost and counted.tells_tokens:
        return f"reported by {name} when it ends" + (f"; until then {by}" if can_estimate else "")
    if can_estimate:
        return f"{by} ({name} does not report it)"
    return f"unknown: {why_unknown(counted, known)}"


def why_unknown(counted: Counted, known: KnownPrices) -> str:
    """Say why a cost cannot be known, and what to do."""
    name = counted.agent.name
    if not counted.tells_tokens:
        return f"{name} reports nothing in text mode"
    if (model := decisive_model(counted)) is not None:
        where = f"in genai-prices {known.version} or `prices`" if known.version else "in `prices`"
        return f"{name} does not report it, and {model} has no price {where}"
    return f"{name} does not report it: write `prices`, or install nova_async[prices]"


def models_without_entry(cascade: Cascade, prices: Prices, *, with_budget: bool = False) -> Iterator[str]:
    """Give the models that only a published price can be known for; only those that a budget in dollars is set for."""
    for task, counted in counted_tasks(cascade, cascade.tasks.values()):
        if (model := decisive_model(counted)) is None or counted.agent.costs_live:
            continue
        has_budget = bool(task.options.budget_usd or cascade.settings.budget_usd)
        if (has_budget or not with_budget) and prices.given(model) is None:
            yield model
