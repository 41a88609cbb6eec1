"""What a worker's tokens cost by prices, as long as its agent tells no cost; reckoned anew only when they change."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, final

from nova_async.agents import AgentReport
from nova_async.prices import Prices
from nova_async.usage import TokenUsage
from nova_async.worker.published_prices import PUBLISHED

__all__ = ["Pricing", "estimate_of"]


@final
class Pricing:
    """The estimate of one worker's cost.

    ``model`` is the one that the command line names. Where the published prices are needed and not known yet, they are
    read in a thread; ``on_known`` is called in the worker's loop when they are there.
    """

    def __init__(self, prices: Prices, model: str | None) -> None:
        self.on_known: Callable[[], object] = lambda: None
        self._prices = prices
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._asked = False
        self._last: tuple[AgentReport, float | None] = (AgentReport(), None)

    def estimate(self, report: AgentReport) -> float | None:
        """Return what the tokens of a report cost, in US dollars; None where that is not known, or the agent told."""
        known, estimate = self._last  # one value, so that any thread may ask
        if report is known:
            return estimate
        if what_counts(report) != what_counts(known):
            estimate = estimate_of(report, self._prices, self._model, report.kept_an_hour)
        self._last = report, estimate
        return estimate

    def note(self, report: AgentReport) -> None:
        """See to it that the prices of a report will be known."""
        if self._asked or not may_need_the_published(report, self._prices) or self.estimate(report) is not None:
            return
        self._asked = PUBLISHED.read_soon(self._tell)
        if not self._asked and PUBLISHED.is_settled:  # a moment ago, by somebody else
            self._asked, self._last = True, (AgentReport(), None)

    def _tell(self) -> None:
        """Reckon again, in the worker's loop."""
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._reckon_again)

    def _reckon_again(self) -> None:
        self._last = AgentReport(), None
        self.on_known()


def what_counts(report: AgentReport) -> tuple[object, ...]:
    """Return what an estimate depends on."""
    return report.usage, report.usage_by_model, report.kept_an_hour, report.cost_usd, report.model


class Told(Protocol):
    """What an agent has told, while it runs or in the end."""

    @property
    def usage(self) -> TokenUsage: ...
    @property
    def usage_by_model(self) -> Mapping[str, TokenUsage]: ...
    @property
    def cost_usd(self) -> float | None: ...
    @property
    def model(self) -> str | None: ...


def estimate_of(
    told: Told, prices: Prices, model: str | None, kept_an_hour: Mapping[str, int] | None = None
) -> float | None:
    """Return what the tokens of an agent cost, by all prices that are known now; None where it told a cost itself.

    ``model`` is the one that its command line names, which counts where the agent names none.
    """
    if told.cost_usd is not None:
        return None
    return prices.estimate(
        told.usage, told.usage_by_model, model=told.model or model, kept_an_hour=kept_an_hour, published=PUBLISHED.of
    )


def may_need_the_published(report: AgentReport, prices: Prices) -> bool:
    """Tell whether the published prices can make a difference."""
    return prices.listed and report.cost_usd is None and bool(report.usage.total)
