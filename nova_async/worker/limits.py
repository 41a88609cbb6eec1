"""The limits at which a worker is ended."""

import math
from dataclasses import dataclass, fields

from nova_async._core.money import dollars
from nova_async.agents import AgentReport

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits at which a worker is ended early; each is off unless set.

    None fails what has succeeded: after the agent's successful final result a budget is not enforced, and the other
    limits end the worker as ``LINGERED``, which is ``COMPLETED``.

    Raises ``ValueError`` for a limit that is not a positive finite number.
    """

    timeout: float | None = None
    """Seconds from the start; beyond it the worker ends as ``TIMED_OUT``."""
    idle_timeout: float | None = None
    """Seconds without a byte of output; beyond it the worker ends as ``STALLED``.

    Ignored where the agent prints only once, at its end (``--output-format json``, text modes): silence means
    nothing there (G4).
    """
    linger: float | None = None
    """Seconds that an agent may keep running after its final result; beyond it the worker ends as ``LINGERED``."""
    max_memory: int | None = None
    """Bytes of resident memory of the whole process family; beyond it the worker ends as ``OUT_OF_MEMORY``.

    Looked at about once a second. Memory that processes share counts for each of them.
    """
    max_tokens: int | None = None
    """Token budget, all four kinds together; beyond it the worker ends as ``OVER_BUDGET``."""
    max_cost_usd: float | None = None
    """Cost budget in US dollars, as the agent reports them or else by its prices; beyond it: ``OVER_BUDGET``."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"Limits.{field.name} must be a number, not {value!r}")
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"Limits.{field.name} must be a positive finite number, not {value!r}")

    def exceeded_budget(self, report: AgentReport, estimated_usd: float | None = None) -> str | None:
        """Say which budget is exceeded by what an agent reports; None if none is.

        ``estimated_usd`` is what it has cost by prices, which counts as long as it has not reported its cost.
        """
        if self.max_tokens is not None and report.usage.total > self.max_tokens:
            used, limit = f"{report.usage.total:,} used", f"limit {self.max_tokens:,}"
            return f"token budget exceeded: {used}, {limit} (max_tokens)"
        cost = estimated_usd if report.cost_usd is None else report.cost_usd
        if self.max_cost_usd is not None and cost is not None and cost > self.max_cost_usd:
            told = "an estimated " if report.cost_usd is None else ""
            used, limit = f"{told}{dollars(cost)} spent", f"limit {dollars(self.max_cost_usd)}"
            if f"{cost:.2f}" == f"{self.max_cost_usd:.2f}":  # or they would look the same
                used, limit = f"{told}${cost:,.4f} spent", f"limit ${self.max_cost_usd:,.4f}"
            return f"cost budget exceeded: {used}, {limit} (max_cost_usd)"
        return None

    def as_dict(self) -> dict[str, float]:
        """Return the limits that are set, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}
