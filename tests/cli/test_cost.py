"""``nova cost``: what attempts have used and cost, by whatever one asks for; reported and estimated kept apart."""

import csv
import io
import json
import math
import sys
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nova_async.cli.cost import csv_text, numbers
from nova_async.cli.cost_rows import KEYS, Part, cost_document, cost_rows, parts_of, total_of
from nova_async.prices import ModelPrice, Prices
from nova_async.records import Attempt
from nova_async.usage import TokenUsage, Totals
from tests.cli.command import PROGRAMS, nova
from tests.journal.making import end, start

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOKENS = some.integers(0, 10**6)
USAGES = some.builds(TokenUsage, TOKENS, TOKENS, TOKENS, TOKENS)
COSTS = some.sampled_from([{}, {"cost_usd": 0.5}, {"estimated_usd": 0.25}])


def day(moment: datetime) -> date:
    """Return its day in UTC."""
    return moment.astimezone(UTC).date()


def ended(
    task_id: str, number: int = 1, agent: str = "claude", command: tuple[str, ...] = (), **more: object
) -> Attempt:
    """Return an attempt that has ended."""
    facts = {"usage_is_final": True, "ended_at": NOON, **more}
    return Attempt(start=start(task_id, number, agent=agent, command=command), end=end(task_id, number, **facts))


@some.composite
def attempts(draw: some.DrawFn) -> Attempt:
    """Draw an attempt with some models, whose tokens may be fewer than all."""
    by_model = draw(some.dictionaries(some.sampled_from(["opus", "haiku", "=x"]), USAGES))
    usage = sum(by_model.values(), draw(some.just(TokenUsage()) | USAGES))
    return ended(
        draw(some.sampled_from("AB")), draw(some.integers(1, 2)), usage=usage, usage_by_model=by_model,
        usage_is_final=draw(some.booleans()), ended_at=NOON.replace(day=draw(some.integers(1, 3))), **draw(COSTS),
    )  # fmt: skip


@given(
    some.lists(attempts(), max_size=6), some.sampled_from([keys for n in range(1, 4) for keys in combinations(KEYS, n)])
)
def test_rows_add_up_to_everything(found: list[Attempt], by: tuple[str, ...]) -> None:
    """By whatever they are told apart, no token and no dollar is lost or counted twice."""
    parts, whole = list(parts_of(found, day)), Totals()
    for attempt in found:
        assert attempt.end is not None
        attempt.end.add_to(whole)
    rows = cost_rows(parts, by)
    assert sum((row.sums.usage for row in rows), TokenUsage()) == whole.usage == total_of(parts).usage
    for kind in ("cost_usd", "estimated_usd"):
        told = [getattr(row.sums, kind) for row in rows if getattr(row.sums, kind) is not None]
        assert math.isclose(sum(told), getattr(whole, kind) or 0.0)
        assert bool(told) == (getattr(whole, kind) is not None)
    assert total_of(parts).cost_is_complete == whole.cost_is_complete


@pytest.mark.parametrize("kind", ["cost_usd", "estimated_usd"])
def test_no_sum_has_dust(kind: str) -> None:
    """Ten times 10 cents is a dollar in every document, and so is whatever has been reckoned from prices."""
    found = [ended(f"T{number}", usage=TokenUsage(1), **{kind: 0.1}) for number in range(10)]
    for several, usd in ((3, "0.3"), (10, "1.0")):
        told = cost_document(list(parts_of(found[:several], day)), ("agent",))
        name = "totalCost" if kind == "cost_usd" else "estimatedCost"
        figures = told["totals"][name], told["daily"][0][name], told["rows"][0][kind]
        assert {json.dumps(figure) for figure in figures} == {usd}
    prices = Prices({"m": ModelPrice(input=0.1, output=0.2), "n": ModelPrice(input=0.2, output=0.2)}, listed=False)
    used = {"m": TokenUsage(10**6), "n": TokenUsage(500_000)}
    assert prices.estimate(TokenUsage(1_500_000), used) == 0.2
    assert prices.estimate(TokenUsage(3), {"m": TokenUsage(3)}) == 3e-7


def test_a_cost_of_several_models_is_nobodys_share() -> None:
    """Their tokens are theirs; the cost was told for all of them, and stands by itself."""
    used = {"opus": TokenUsage(1, 2), "haiku": TokenUsage(3, 4), "idle": TokenUsage()}
    parts = list(parts_of([ended("A", usage=TokenUsage(4, 6), usage_by_model=used, cost_usd=0.5)], day))
    rows = {row.key[0]: row.sums for row in cost_rows(parts, ("model",))}
    assert {model: (sums.usage.total, sums.cost_usd, sums.cost_is_complete) for model, sums in rows.items()} == {
        "haiku": (7, None, False), "opus": (3, None, False), "several models": (0, 0.5, True),
    }  # fmt: skip
    [row] = cost_rows(parts, ("task",))
    assert (row.sums.cost_usd, row.sums.cost_is_complete) == (0.5, True)


def test_the_model_of_a_command() -> None:
    """It counts where the agent names none; an attempt that has not ended has no cost yet."""
    command = ("codex", "exec", "--json", "-m", "gpt-5", "--", "x")
    codex = ended("A", agent="codex", command=command, usage=TokenUsage(5), estimated_usd=0.25)
    running = Attempt(start=start("B"))
    [part] = parts_of([codex, running], day)
    assert (part.model, part.estimated_usd, part.cost_usd) == ("gpt-5", 0.25, None)


def test_the_document_in_the_shape_of_ccusage() -> None:
    """Days with their models, and totals; what is not known is null, and an estimate never part of the cost."""
    found = [
        ended("A", usage=TokenUsage(1, 2, 3, 4), usage_by_model={"opus": TokenUsage(1, 2, 3, 4)}, cost_usd=0.5),
        ended("B", agent="codex", usage=TokenUsage(5), estimated_usd=0.25),
        ended("C", agent="codex", usage=TokenUsage(7)),
    ]
    told = cost_document(list(parts_of(found, day)), ("task",))
    sums = {
        "inputTokens": 13, "outputTokens": 2, "cacheCreationTokens": 4, "cacheReadTokens": 3, "totalTokens": 22,
        "totalCost": 0.5, "estimatedCost": 0.25, "costIsComplete": False,
    }  # fmt: skip
    assert told["totals"] == sums
    [daily] = told["daily"]
    breakdowns = daily.pop("modelBreakdowns")
    assert daily == {"date": "2026-11-25", **sums, "modelsUsed": ["opus"]}
    assert [(each["modelName"], each["cost"], each["estimatedCost"]) for each in breakdowns] == [
        (None, None, 0.25), ("opus", 0.5, None),
    ]  # fmt: skip
    assert [(row["task"], row["cost_usd"], row["estimated_usd"]) for row in told["rows"]] == [
        ("A", 0.5, None), ("B", None, 0.25), ("C", None, None),
    ]  # fmt: skip


def test_how_costs_are_written() -> None:
    """Unknown is no zero, and too little is marked."""

    def told(**facts: object) -> list[str]:
        sums = Totals()
        Part(NOON.date(), "r", "t", 1, "a", "", "m", TokenUsage(1), usage_is_final=True, **facts).add_to(sums)  # type: ignore[arg-type]
        return numbers(sums)[-2:]

    assert (told(), told(cost_usd=0.0), told(cost_usd=1.5)) == (["-", ""], ["$0.00", ""], ["$1.50", ""])
    assert told(estimated_usd=1.5) == ["", "~$1.50"]
    assert numbers(Totals(usage=TokenUsage(1), cost_usd=1.5, cost_is_complete=False))[-2:] == ["≥ $1.50", ""]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "a,b", 'a"b', "a\nb"])
def test_no_cell_is_a_formula(name: str) -> None:
    """Whatever a model is called, a spreadsheet shows it as it is, in its own cell."""
    used = {name: TokenUsage(1)}
    text = csv_text(parts_of([ended("A", usage=TokenUsage(1), usage_by_model=used, cost_usd=0.5)], day), ("model",))
    titles, row = csv.reader(io.StringIO(text))
    assert titles[:2] == ["model", "input_tokens"]
    assert not row[0].startswith(("=", "+", "-", "@", "\t"))
    assert dict(zip(titles, row, strict=True))["estimated_usd"] == ""


PLAN = f"""+++
agent = "claude"
command = ["{sys.executable}", "{PROGRAMS / "spending.py"}", "m", "2", "{{prompt}}"]
timeout = "300ms"
retries = 0
prices.m = {{input = 10, output = 90}}
+++
| ID | What |
|---|---|
| T1 | x |
"""


def test_what_a_run_has_cost(tmp_path: Path) -> None:
    """An agent that was ended before it told its cost is estimated, in the journal and wherever its cost is shown."""
    assert "nothing has been run here yet" in nova("cost", cwd=tmp_path).stderr
    (tmp_path / "CASCADE.md").write_text(PLAN)
    done = nova("run", "--plain", cwd=tmp_path)
    assert "≥ 4,000 tokens · ≥ ~$0.20: timed out" in done.stdout
    assert "cost    ≥ ~$0.20, estimated by prices" in done.stdout
    shown = [line.split() for line in nova("cost", cwd=tmp_path).stdout.splitlines()]
    assert shown[1:] == [["T1", "m", "2.0k", "2.0k", "0", "0", "≥", "~$0.20"], ["total", *shown[1][2:]]]
    told = json.loads(nova("cost", "CASCADE.md", "--json", "--utc", cwd=tmp_path).stdout)
    assert (told["totals"]["estimatedCost"], told["totals"]["totalCost"]) == (pytest.approx(0.2), None)
    assert told["rows"][0]["task"] == "T1"
    assert nova("cost", "--csv", "--all", cwd=tmp_path).stdout.startswith("day,run,task,attempt,agent,account,model,")
    assert nova("cost", "--until", "2020-01-01", cwd=tmp_path).stdout == "no attempt ended in these days\n"
    assert "nova: other.md has not been run here yet" in nova("cost", "other.md", cwd=tmp_path).stderr
    status = json.loads(nova("status", "--json", cwd=tmp_path).stdout)["tasks"]["T1"]["nova"]
    assert (status["cost_usd"], status["estimated_usd"], status["cost_is_complete"]) == (
        None,
        pytest.approx(0.2),
        False,
    )
    assert "≥ ~$0.20" in nova("show", "T1", cwd=tmp_path).stdout


SINCE, BEFORE = ("--since", "2026-11-26"), ("--until", "2026-11-25")


@pytest.mark.parametrize(
    "words", [["--by", "money"], ["--since", "today"], ["--json", "--csv"], ["--all", "x.md"], [*SINCE, *BEFORE]]
)
def test_what_it_does_not_take(words: list[str], tmp_path: Path) -> None:
    """It ends with code 2, before anything is looked at."""
    assert nova("cost", *words, cwd=tmp_path).returncode == 2
