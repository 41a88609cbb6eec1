"""What a run or a task may spend, and what it has spent. Pure.

Money is counted in whole nano-dollars: a sum of floats depends on their order, and this one has to equal the sum of
the journal's rows at every moment.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple, final

from nova_async._core.money import dollars
from nova_async.records import AttemptEnd, AttemptFacts
from nova_async.usage import Totals
from nova_async.words import OnBudget, Outcome, Phase

__all__ = ["NOTHING", "Budget", "Spending", "ended_by_the_run", "spent_by"]

NANO = 1_000_000_000  # nano-dollars in a dollar
WARN_AT = 0.8  # of a budget


class Spending(NamedTuple):
    """What was spent: tokens of all four kinds together, and money."""

    tokens: int = 0
    nanodollars: int = 0

    def plus(self, other: "Spending") -> "Spending":
        """Return both together."""
        return Spending(self.tokens + other.tokens, self.nanodollars + other.nanodollars)

    def minus(self, other: "Spending") -> "Spending":
        """Return this without the other."""
        return Spending(self.tokens - other.tokens, self.nanodollars - other.nanodollars)

    @property
    def cost_usd(self) -> float:
        """The money, in US dollars."""
        return self.nanodollars / NANO


NOTHING = Spending()


def nanodollars(usd: float | None) -> int:
    """Return an amount of US dollars in whole nano-dollars; an unknown one counts as nothing."""
    return 0 if usd is None else round(usd * NANO)


def spent_by(attempt: AttemptEnd | AttemptFacts | Totals) -> Spending:
    """Return what one or more attempts have spent: by their agents' own figures, else by estimates."""
    return Spending(attempt.usage.total, nanodollars(attempt.cost_usd) + nanodollars(attempt.estimated_usd))


@final
@dataclass(slots=True)
class Budget:
    """Tokens and US dollars that a run may use for all its tasks together, or a task for all its attempts.

    ``spent`` is what ended attempts have used, those of earlier runs that count included. What an agent does not tell
    cannot be held against it: an unknown cost counts as nothing here. No question takes longer because more is running.
    """

    max_tokens: int | None = None
    max_cost_usd: float | None = None
    spent: Spending = NOTHING
    whose: str = "the run's"
    _running: dict[str, Spending] = field(default_factory=dict)
    _under_way: Spending = NOTHING
    """The sum of what is running."""
    _shares: dict[str, int] = field(default_factory=dict)
    """The most, in nano-dollars, that each running agent spends that tells its cost only at its end."""
    _set_aside: int = 0
    """How much of these shares is not spent yet, in nano-dollars."""
    _told: float = 0.0

    @property
    def is_set(self) -> bool:
        """Whether there is a budget at all."""
        return self.max_tokens is not None or self.max_cost_usd is not None

    @property
    def total(self) -> Spending:
        """What has been spent up to now, by ended and by running attempts."""
        return self.spent.plus(self._under_way)

    @property
    def used(self) -> float:
        """The used part of the budget that is nearest to its end, from 0; 1 and above is used up."""
        tokens, money = self.total
        by_tokens = tokens / self.max_tokens if self.max_tokens else 0.0
        return max(by_tokens, money / nanodollars(self.max_cost_usd) if self.max_cost_usd else 0.0)

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more may begin."""
        return self.left_tokens == 0 or self.left_usd == 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more was spent than it allows."""
        tokens, money = self.total
        by_tokens = self.max_tokens is not None and tokens > self.max_tokens
        return by_tokens or (self.max_cost_usd is not None and money > nanodollars(self.max_cost_usd))

    @property
    def has_room(self) -> bool:
        """Whether something may begin now: not while all that is left is set aside for running agents."""
        if self.is_used_up:
            return False
        return self.max_cost_usd is None or self._free > 0

    @property
    def left_tokens(self) -> int | None:
        """How many tokens are left; None where they are not limited."""
        return None if self.max_tokens is None else max(0, self.max_tokens - self.total.tokens)

    @property
    def left_usd(self) -> float | None:
        """How many dollars are left; None where they are not limited."""
        if self.max_cost_usd is None:
            return None
        return max(0, nanodollars(self.max_cost_usd) - self.total.nanodollars) / NANO

    @property
    def free_usd(self) -> float:
        """How many dollars are left that are not set aside, where they are limited."""
        return max(1, self._free) / NANO

    @property
    def _free(self) -> int:
        """The same in nano-dollars, less than nothing where more was spent than set aside."""
        return nanodollars(self.max_cost_usd) - self.total.nanodollars - self._set_aside

    def set_aside(self, task_id: str, among: int, at_most: float | None = None) -> float:
        """Set aside an equal share of what is left, or less, for an agent that tells its cost only at its end.

        ``among`` is how many could begin now, ``at_most`` what it may spend in any case. Returns the share in dollars.
        """
        share = max(1, self._free // max(1, among))
        if at_most is not None:
            share = min(share, nanodollars(at_most))
        self._shares[task_id] = share
        self._set_aside += share
        return share / NANO

    def free_share(self, task_id: str) -> None:
        """Set nothing aside any more for this one: it has ended, has begun nothing, or tells its cost as it goes."""
        if (share := self._shares.pop(task_id, None)) is not None:
            self._set_aside -= max(0, share - self._running.get(task_id, NOTHING).nanodollars)

    def note_running(self, task_id: str, spending: Spending) -> None:
        """Note what a running attempt has used up to now."""
        before = self._running.get(task_id, NOTHING)
        self._under_way = self._under_way.plus(spending.minus(before))
        self._running[task_id] = spending
        if (share := self._shares.get(task_id)) is not None:
            self._set_aside += max(0, share - spending.nanodollars) - max(0, share - before.nanodollars)

    def note_end(self, task_id: str, spending: Spending) -> None:
        """Note what an attempt has used in the end."""
        self.free_share(task_id)
        self._under_way = self._under_way.minus(self._running.pop(task_id, NOTHING))
        self.spent = self.spent.plus(spending)

    def change(self, max_cost_usd: float | None, max_tokens: int | None) -> None:
        """Set another limit; None leaves it as it is."""
        self.max_cost_usd = self.max_cost_usd if max_cost_usd is None else max_cost_usd
        self.max_tokens = self.max_tokens if max_tokens is None else max_tokens
        self._told = min(self._told, 1.0 if self.is_used_up else self.used)

    def news(self) -> str | None:
        """Say that the budget has just become nearly or wholly used up; each comes once."""
        level = 1.0 if self.is_used_up else WARN_AT if self.used >= WARN_AT else 0.0
        if level <= self._told:
            return None
        self._told = level
        return f"{self} is {'used up' if level >= 1 else '80 % used'} ({self.used_in_words} spent)"

    @property
    def limit_in_words(self) -> str:
        """The limit that is nearest to its end, for people."""
        return dollars(self.max_cost_usd or 0.0) if self._is_about_money else f"{self.max_tokens:,} tokens"

    @property
    def used_in_words(self) -> str:
        """What was spent of it, for people."""
        return dollars(self.total.cost_usd) if self._is_about_money else f"{self.total.tokens:,} tokens"

    @property
    def _is_about_money(self) -> bool:
        if self.max_cost_usd is None or self.max_tokens is None:
            return self.max_cost_usd is not None
        return self.total.nanodollars * self.max_tokens >= self.total.tokens * nanodollars(self.max_cost_usd)

    def __str__(self) -> str:
        return f"{self.whose} budget of {self.limit_in_words}"


def ended_by_the_run(
    end: AttemptEnd, share_usd: float | None, why_stopped: str | None, on_budget: OnBudget
) -> AttemptEnd:
    """Say of an attempt that the run's budget ended that it did: it is no failure of its task.

    It was asked to stop (``why_stopped``), or its agent gave up at its share of what was left (``share_usd``). One
    whose agent has finished, and only its check has not, is to be checked later, whatever ``on_budget`` says.
    """
    if why_stopped is not None and end.outcome is Outcome.CANCELLED:
        fails = on_budget == OnBudget.FAIL and end.phase is not Phase.VERIFY
        outcome = Outcome.BUDGET if fails else Outcome.CANCELLED
        return replace(end, outcome=outcome, error=f"stopped: {why_stopped}")
    gave_up = end.outcome in (Outcome.AGENT_ERROR, Outcome.BUDGET) and not end.ended_by_us
    if not gave_up or share_usd is None or spent_by(end).nanodollars < nanodollars(share_usd):
        return end
    why = f"stopped: its share of what was left of the run's budget ({dollars(share_usd)}) is used up"
    return replace(end, outcome=Outcome.CANCELLED, error=why)
