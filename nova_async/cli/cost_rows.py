"""What attempts have cost, by task, model, attempt, run, day, agent and account. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple, final

from nova_async.agents import AGENTS
from nova_async.agents.ledger import less
from nova_async.agents.registry import PLAIN
from nova_async.records import Attempt, AttemptEnd
from nova_async.usage import TokenUsage, Totals

__all__ = ["KEYS", "CostRow", "CostTable", "Part", "cost_document", "cost_rows", "own_figures", "parts_of", "total_of"]

KEYS = ("day", "run", "task", "attempt", "agent", "account", "model")
"""What the rows can be told apart by, in the order in which they are sorted."""
SEVERAL = "several models"
"""Stands for the model of a cost that was told for several models together, whose tokens stand in rows of their own."""


@final
@dataclass(frozen=True, slots=True)
class Part:
    """What one model has used in one attempt, with its cost where that is known for this model alone."""

    day: date
    run: str
    task: str
    attempt: int
    agent: str
    account: str
    model: str
    """Empty where the agent names none."""
    usage: TokenUsage
    usage_is_final: bool
    cost_usd: float | None = None
    estimated_usd: float | None = None
    has_cost: bool = True
    """False for tokens whose cost is part of a row ``several models``."""

    def add_to(self, sums: Totals, *, of_one_model: bool = False) -> None:
        """Add it to a running sum, which may be that ``of_one_model``: then a cost of several is missing in it."""
        sums.add(
            self.usage, usage_by_model={self.model: self.usage}, usage_is_final=self.usage_is_final,
            cost_usd=self.cost_usd, estimated_usd=self.estimated_usd,
            cost_is_complete=None if self.has_cost else not of_one_model,
        )  # fmt: skip


@final
@dataclass(slots=True)
class CostRow:
    """Several parts seen as one: those with the same key."""

    key: tuple[Any, ...]
    sums: Totals = field(default_factory=Totals)


class Split(NamedTuple):
    """Tokens of a model and, if it is the only one of its attempt, their cost."""

    model: str
    usage: TokenUsage
    cost_usd: float | None
    estimated_usd: float | None
    has_cost: bool


def parts_of(attempts: Iterable[Attempt], day_of: Callable[[datetime], date]) -> Iterator[Part]:
    """Give the parts of all attempts that have ended; an attempt counts on the day on which it ended."""
    for attempt in attempts:
        start, end = attempt.start, attempt.end
        if end is None:
            continue
        model = end.model or AGENTS.get(start.agent, PLAIN).model_of(start.command) or ""
        for split in split_by_model(end, model):
            yield Part(
                day=day_of(end.ended_at), run=start.id.run_id, task=start.id.task_id, attempt=start.id.number,
                agent=start.agent, account=start.account, usage_is_final=end.usage_is_final, **split._asdict(),
            )  # fmt: skip


def split_by_model(end: AttemptEnd, model: str = "") -> Iterator[Split]:
    """Give the tokens of each model; a cost of several models is given by itself, for nobody knows their shares.

    Where no model is named with its tokens, they are those of ``model``.
    """
    models = {model: used for model, used in end.usage_by_model.items() if used.total}
    known = sum(models.values(), TokenUsage())
    rest = TokenUsage(*less(end.usage.as_dict().values(), known.as_dict().values()))
    if rest.total or not models:
        name = model if not models else ""
        models[name] = models.get(name, TokenUsage()) + rest
    if len(models) == 1:
        [(model, used)] = models.items()
        yield Split(model, used, end.cost_usd, end.estimated_usd, True)
        return
    is_told = end.cost_usd is not None or end.estimated_usd is not None
    for model, used in models.items():
        yield Split(model, used, None, None, not is_told)
    if is_told:
        yield Split(SEVERAL, TokenUsage(), end.cost_usd, end.estimated_usd, True)


@final
class CostTable:
    """Sums by some of the keys. It holds no parts: there may be a hundred times as many as rows."""

    def __init__(self, by: Sequence[str]) -> None:
        self._by = tuple(by)
        self._sums: dict[tuple[Any, ...], Totals] = {}

    def add(self, part: Part) -> None:
        """Add a part to its row."""
        key = tuple([getattr(part, name) for name in self._by])
        if (sums := self._sums.get(key)) is None:
            sums = self._sums[key] = Totals()
        part.add_to(sums, of_one_model="model" in self._by)

    def rows(self) -> list[CostRow]:
        """Return the rows, ordered by the keys."""
        return [CostRow(key, self._sums[key]) for key in sorted(self._sums)]


def cost_rows(parts: Iterable[Part], by: Sequence[str]) -> list[CostRow]:
    """Sum the parts up by these keys; ordered by them."""
    table = CostTable(by)
    for part in parts:
        table.add(part)
    return table.rows()


def total_of(parts: Iterable[Part]) -> Totals:
    """Sum all parts up."""
    sums = Totals()
    for part in parts:
        part.add_to(sums)
    return sums


def cost_document(parts: Iterable[Part], by: Sequence[str]) -> dict[str, Any]:
    """Return it as a JSON object: ``daily`` and ``totals`` as users of ccusage know them, and our own ``rows``.

    ``totalCost`` is what agents have reported, and ``estimatedCost`` what was estimated for the others; null where
    nothing is known.
    """
    days, of_days, asked, whole = CostTable(("day",)), CostTable(("day", "model")), CostTable(by), Totals()
    for part in parts:
        for table in (days, of_days, asked):
            table.add(part)
        part.add_to(whole)
    models_of = {day: list(rows) for day, rows in groupby(of_days.rows(), lambda row: row.key[0])}
    daily = []
    for (day,), sums in ((row.key, row.sums) for row in days.rows()):
        models = [(row.key[1], row.sums) for row in models_of[day]]
        daily.append({
            "date": day.isoformat(), **figures(sums),
            "modelsUsed": [model for model, used in models if used.usage.total and model],
            "modelBreakdowns": [{"modelName": model or None, **breakdown(used)} for model, used in models],
        })  # fmt: skip
    rows = [
        {**{name: shown(value) for name, value in zip(by, row.key, strict=True)}, **own_figures(row.sums)}
        for row in asked.rows()
    ]
    return {"daily": daily, "totals": figures(whole), "rows": rows}


def shown(value: Any) -> Any:
    """Return a key as JSON has it."""
    return value.isoformat() if isinstance(value, date) else value


def figures(sums: Totals) -> dict[str, Any]:
    """Return sums under the names of ccusage, and what it has no names for."""
    used = sums.usage
    return {
        "inputTokens": used.input_tokens, "outputTokens": used.output_tokens,
        "cacheCreationTokens": used.cache_creation_tokens, "cacheReadTokens": used.cache_read_tokens,
        "totalTokens": used.total, "totalCost": sums.cost_usd, "estimatedCost": sums.estimated_usd,
        "costIsComplete": sums.cost_is_complete,
    }  # fmt: skip


def breakdown(sums: Totals) -> dict[str, Any]:
    """Return the sums of one model."""
    told = figures(sums)
    told["cost"] = told.pop("totalCost")
    del told["totalTokens"]
    return told


def own_figures(sums: Totals) -> dict[str, Any]:
    """Return sums under the names that all other documents of nova have."""
    return {
        **sums.usage.as_dict(), "total_tokens": sums.usage.total, "usage_is_final": sums.usage_is_final,
        "cost_usd": sums.cost_usd, "estimated_usd": sums.estimated_usd, "cost_is_complete": sums.cost_is_complete,
    }  # fmt: skip
