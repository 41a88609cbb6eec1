"""What a run may spend, and what it has spent. Pure."""

from dataclasses import dataclass, field, replace
from typing import final

from nova_async.records import AttemptEnd
from nova_async.words import Outcome

__all__ = ["Budget", "without_blame"]

WARN_AT = 0.8  # of a budget


@final
@dataclass(slots=True)
class Budget:
    """The budget of a run: tokens and US dollars of all its tasks together, those of earlier runs that count included.

    What an agent does not tell cannot be held against it: an unknown cost counts as nothing here.
    """

    max_tokens: int | None = None
    max_cost_usd: float | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    _running: dict[str, tuple[int, float]] = field(default_factory=dict)
    _told: float = 0.0

    @property
    def is_set(self) -> bool:
        """Whether there is a budget at all."""
        return bool(self.max_tokens or self.max_cost_usd)

    @property
    def used(self) -> float:
        """The used part of the budget that is nearest to its end, from 0; 1 and above is used up."""
        tokens = self.tokens + sum(tokens for tokens, _ in self._running.values())
        cost = self.cost_usd + sum(cost for _, cost in self._running.values())
        by_tokens = tokens / self.max_tokens if self.max_tokens else 0.0
        return max(by_tokens, cost / self.max_cost_usd if self.max_cost_usd else 0.0)

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more may begin."""
        return self.used >= 1

    @property
    def left_usd(self) -> float | None:
        """What is left of it in dollars, never nothing; None where no dollars are set."""
        if not self.max_cost_usd:
            return None
        return max(0.01, self.max_cost_usd - self.cost_usd - sum(cost for _, cost in self._running.values()))

    def note_running(self, task_id: str, tokens: int, cost_usd: float) -> None:
        """Note what a running attempt has used up to now."""
        self._running[task_id] = tokens, cost_usd

    def note_end(self, task_id: str, tokens: int, cost_usd: float) -> None:
        """Note what an attempt has used in the end."""
        self._running.pop(task_id, None)
        self.tokens += tokens
        self.cost_usd += cost_usd

    def warning(self) -> str | None:
        """Return a sentence when the budget has just become nearly or wholly used up; each comes once."""
        level = 1.0 if self.used >= 1 else WARN_AT if self.used >= WARN_AT else 0.0
        if level <= self._told:
            return None
        self._told = level
        limits = [f"{self.max_tokens:,} tokens"] if self.max_tokens else []
        limits += [f"${self.max_cost_usd:,.2f}"] if self.max_cost_usd else []
        state = (
            "is used up; nothing more starts, and running agents are asked to stop" if level >= 1 else "is 80 % used"
        )
        return f"the run's budget of {' and '.join(limits)} {state}"


def without_blame(end: AttemptEnd, cap_usd: float | None) -> AttemptEnd:
    """Take it for no failure of its task that an agent gave up at the cap that the run's budget had set it."""
    gave_up = end.outcome in (Outcome.AGENT_ERROR, Outcome.BUDGET) and not end.ended_by_us
    if not gave_up or cap_usd is None or (end.cost_usd or 0.0) < cap_usd:
        return end
    return replace(end, outcome=Outcome.CANCELLED, error="stopped: the run's budget is used up")
