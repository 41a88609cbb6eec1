"""Limits on the command line of a run: they stand above those of the plan."""

import click
import pytest

from nova_async.cascade import Cascade, parse_cascade
from nova_async.cli.limit_options import LIMITS, flag_of, with_limits
from nova_async.cli.plan import describe_options
from nova_async.orchestrator.budget import Budget
from nova_async.orchestrator.commands import limits_of
from nova_async.orchestrator.run_state import task_budgets

PLAN = """+++
timeout = "45m"
max_memory = "4GiB"
linger = "5s"
+++
| ID | What | Timeout | Max Memory |
|---|---|---|---|
| F1 | x | 5m | 500MB |
| F2 | y | - | off |
"""


def budget_of(cascade: Cascade, task_id: str) -> Budget:
    """Return the budget of a task that has not run yet."""
    return task_budgets(cascade, {}).get(task_id, Budget())


def test_a_flag_stands_above_plan_and_task() -> None:
    """Each limit can be given on the command line, and then holds for every task, whatever is written."""
    cascade = parse_cascade(PLAN)
    first, second = (limits_of(cascade, task, budget_of(cascade, task.id)) for task in cascade.tasks.values())
    assert (first.timeout, first.max_memory, first.linger) == (300.0, 500_000_000, 5.0)
    assert (second.timeout, second.max_memory) == (2700.0, None)
    given = {
        "timeout": "1h", "idle_timeout": "10m", "linger": "off", "max_memory": "1.5G", "task_budget_usd": "2.50",
        "task_budget_tokens": "1000", "budget_usd": "$7", "budget_tokens": "9_000",
    }  # fmt: skip
    assert set(LIMITS) >= given.keys()
    cascade = with_limits(cascade, given)
    for task in cascade.tasks.values():
        limits = limits_of(cascade, task, budget_of(cascade, task.id))
        assert limits.as_dict() == {
            "timeout": 3600.0, "idle_timeout": 600.0, "max_memory": 3 << 29, "max_tokens": 1000, "max_cost_usd": 2.5,
        }  # fmt: skip
    assert "linger" in cascade.settings.written
    assert (cascade.settings.budget_usd, cascade.settings.budget_tokens) == (7.0, 9000)
    assert with_limits(cascade, dict.fromkeys(LIMITS)) is cascade


@pytest.mark.parametrize(("text", "pace"), [("off", "off"), ("on", "on"), ("0.8", 0.8), ("80%", 0.8)])
def test_the_pace_is_written_as_in_a_plan(text: str, pace: str | float) -> None:
    """A share is one of a plan, too, as a number or as percents; what is none says what could be written."""
    written = parse_cascade(f"+++\npace = '{text}'\n+++\n| ID | What |\n|---|---|\n| F1 | x |\n")
    assert written.settings.pace == with_limits(parse_cascade(PLAN), {"pace": text}).settings.pace == pace
    assert parse_cascade(PLAN).settings.pace == "on"
    with pytest.raises(click.UsageError, match=r"--pace: '80' is not a share below 1 \(write on, off, 0.8 or 80%\)"):
        with_limits(parse_cascade(PLAN), {"pace": "80"})


@pytest.mark.parametrize("key", LIMITS)
def test_a_flag_that_is_no_value_is_refused(key: str) -> None:
    """The message names the flag, and says what was written."""
    with pytest.raises(click.UsageError, match=rf"^{flag_of(key)}: 'soon' is not a"):
        with_limits(parse_cascade(PLAN), {key: "soon"})


def test_a_size_is_shown_as_it_is_read() -> None:
    """Bytes are for machines."""
    assert describe_options({"max_memory": 3 << 29}) == "max_memory 1.5 GiB"
