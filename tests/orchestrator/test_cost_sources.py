"""How the cost of tasks will be known is said before the run, from commands and prices alone."""

import pytest

from nova_async.cascade import Cascade, parse_cascade
from nova_async.orchestrator.cost_sources import NO_PRICES, KnownPrices, cost_sources, models_without_entry
from nova_async.orchestrator.countable import budget_problems, late_budgets
from nova_async.prices import ModelPrice, Prices

ROWS = "| ID | What |\n|---|---|\n| T1 | x |\n| T2 | x |\n"
PRICE = ModelPrice(1.0, 2.0, 0.5, 1.0)
GIVEN = KnownPrices(Prices({"m": PRICE}, listed=False))
PUBLISHED = KnownPrices(Prices(), {"m": PRICE}.get, "1.2")


def plan(front: str, rows: str = ROWS) -> Cascade:
    """Return a plan with this front matter."""
    return parse_cascade(f"+++\n{front}\n+++\n{rows}")


@pytest.mark.parametrize(
    ("front", "known", "said"),
    [
        ("agent = 'claude'", NO_PRICES, "reported by claude when it ends"),
        ("agent = 'claude'\nmodel = 'opus'", GIVEN,
         "reported by claude when it ends; until then estimated by `prices`, if its model has a price there"),
        ("agent = 'opencode'", PUBLISHED, "reported by opencode"),
        ("agent = 'codex'\nmodel = 'm'", GIVEN, "estimated by `prices` for m (codex does not report it)"),
        ("agent = 'codex'\nmodel = 'openai/m'", PUBLISHED,
         "estimated by genai-prices 1.2 for openai/m (codex does not report it)"),
        ("command = 'codex exec --json -m m {prompt}'", GIVEN,
         "estimated by `prices` for m (codex does not report it)"),
        ("command = 'codex exec --json -m {model} {prompt}'\nmodel = 'm'", PUBLISHED,
         "estimated by genai-prices 1.2 for m (codex does not report it)"),
        ("agent = 'codex'", PUBLISHED,
         "estimated by genai-prices 1.2, if its model has a price there (codex does not report it)"),
        ("agent = 'gemini'\nmodel = 'm'", KnownPrices(GIVEN.prices, version="1.2"),
         "estimated by `prices` and genai-prices 1.2, if its model has a price there (gemini does not report it)"),
        ("agent = 'codex'\nmodel = 'n'", GIVEN, "unknown: codex does not report it, and n has no price in `prices`"),
        ("agent = 'codex'\nmodel = 'n'", PUBLISHED,
         "unknown: codex does not report it, and n has no price in genai-prices 1.2 or `prices`"),
        ("agent = 'codex'", NO_PRICES,
         "unknown: codex does not report it: write `prices`, or install nova_async[prices]"),
        ("command = 'codex exec {prompt}'", PUBLISHED, "unknown: codex reports nothing in text mode"),
    ],
)  # fmt: skip
def test_how_a_cost_will_be_known(front: str, known: KnownPrices, said: str) -> None:
    """By whom, by which prices, for which model; or not at all, and what to do then."""
    assert cost_sources(plan(front), known) == {said: ["T1", "T2"]}


def test_programs_that_are_no_agents_cost_nothing() -> None:
    """Nothing is said of them."""
    assert cost_sources(plan("command = 'make {task_id}'"), PUBLISHED) == {}


def test_a_price_makes_a_budget_countable() -> None:
    """Also for an agent that never reports its cost; what comes late then are its tokens."""
    codex = "budget_usd = 5\nagent = 'codex'\nmodel = 'm'"
    assert budget_problems(plan(codex), can_estimate=GIVEN.has) == {}
    assert late_budgets(plan(codex), GIVEN.has) == []
    gemini = "budget_usd = 5\nagent = 'gemini'\nagent_args = '-o json'"
    late = "budget_usd takes effect late (T1, T2): gemini reports its tokens only when it ends"
    assert late_budgets(plan(gemini), GIVEN.has) == [late]
    assert late_budgets(plan(gemini)) == []  # that it has no effect at all is an error, and said as one
    [(problem, _)] = budget_problems(plan(codex.replace("'m'", "'n'")), can_estimate=GIVEN.has).items()
    assert problem.startswith("budget_usd cannot be enforced: codex never reports its cost.")
    qwen = "budget_usd = 5\nagent = 'qwen'"
    assert (budget_problems(plan(qwen), can_estimate=PUBLISHED.has), late_budgets(plan(qwen), PUBLISHED.has)) == (
        {},
        [],
    )


def test_an_estimate_is_there_before_the_figure() -> None:
    """A budget no longer takes effect late where tokens are counted live."""
    claude = "budget_usd = 5\ncommand = 'claude -p {prompt} --output-format stream-json --verbose'"
    assert late_budgets(plan(claude), PUBLISHED.has) == []
    assert late_budgets(plan(claude)) == [
        "budget_usd takes effect late (T1, T2): claude reports its cost only when it ends"
    ]


def test_which_models_need_the_published_prices() -> None:
    """Those that are named in a command and have no entry, of agents that neither tell their cost nor their models."""
    rows = "| ID | What | Agent | Model | Budget USD |\n|---|---|---|---|---|\n| A | x | codex | m | 1 |\n"
    rows += (
        "| B | x | codex | n | |\n| C | x | opencode | o | 1 |\n| D | x | claude | p | 1 |\n| E | x | codex | q | 1 |\n"
    )
    cascade = parse_cascade(rows)
    assert list(models_without_entry(cascade, GIVEN.prices)) == ["n", "q"]
    assert list(models_without_entry(cascade, GIVEN.prices, with_budget=True)) == ["q"]
    assert list(models_without_entry(plan("budget_usd = 1\nagent = 'codex'\nmodel = 'n'"), GIVEN.prices)) == ["n", "n"]
