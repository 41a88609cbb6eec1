"""A used-up budget, in the summary of a run."""

from collections.abc import Iterator

from nova_async._core.text import listed
from nova_async.cli.ink import Ink, Line, Span
from nova_async.cli.limit_options import flag_of
from nova_async.control.figures import describe_cost
from nova_async.views import BudgetView

__all__ = ["describe_budget", "whose_budget"]

MOST_TOLD = 10  # tasks in a sentence


def describe_budget(budget: BudgetView, again: str = "nova run") -> Iterator[Line]:
    """Say of a used-up budget what was spent, who waits for more of it, and which command goes on."""
    by_cost = budget.max_cost_usd is not None and budget.cost_usd >= budget.max_cost_usd
    if by_cost:
        most, used = describe_cost(budget.max_cost_usd), describe_cost(budget.cost_usd)
        beyond, key = budget.cost_usd - (budget.max_cost_usd or 0.0), "budget_usd"
        too_much = describe_cost(beyond)
    else:
        most, used = f"{budget.max_tokens:,} tokens", f"{budget.tokens:,}"
        beyond, key = budget.tokens - (budget.max_tokens or 0), "budget_tokens"
        too_much = f"{beyond:,}"
    whose = whose_budget(budget, the="The")
    told = f": {used} spent"
    if beyond:
        count = len(budget.stopped)
        why = f"what {'one agent' if count == 1 else f'{count} agents'} had under way" if count else "calls under way"
        told += f", {too_much} beyond it, by {why}"
    yield [
        Span(f"{whose} of {most} is used up", Ink.AMBER),
        told,
    ]
    count = len(budget.waiting)
    wait = "1 task waits" if count == 1 else f"{count} tasks wait"
    flag = flag_of(key if budget.task_id is None else f"task_{key}")
    where = key if budget.task_id is None else f"its {key}"
    if budget.waiting:
        yield f"  {wait}: {listed(budget.waiting, MOST_TOLD)}"
    yield f"  To go on, allow more: `{again} {flag} MORE`, or raise {where} in the plan and `{again}`"


def whose_budget(budget: BudgetView, the: str = "the") -> str:
    """Name a budget, as the warnings about it begin."""
    return f"{the} run's budget" if budget.task_id is None else f"{budget.task_id}'s budget"
