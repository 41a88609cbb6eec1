"""What Prometheus reads, taken apart by its own parser."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, GaugeView, Hold
from nova_async.web.metrics import metrics
from nova_async.words import Condition, Outcome, RunEnd, TaskState
from tests.control.test_board import board, task
from tests.views import NOON, attempt
from tests.web.serving import Served

parse = pytest.importorskip(
    "prometheus_client.parser", reason="needs prometheus-client, whose parser reads what we write"
).text_string_to_metric_families
SIX, THREE = TokenUsage(1, 2, 3, 0), TokenUsage(1, 1, 1, 0)


def read(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the numbers by name and the values of their labels."""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in parse(text)
    }  # fmt: skip


def test_no_run() -> None:
    """Where there is no run, nothing runs, and nothing else is known."""
    assert read(metrics(None)) == {"nova_run_running": {(): 0.0}}


def test_a_run_in_numbers() -> None:
    """Tasks, attempts, tokens, money, limits and budgets, each with its labels."""
    done = task(
        "F1", TaskState.COMPLETED, usage=SIX, usage_by_model={"opus": THREE}, cost_usd=0.5, duration_seconds=7.0,
        attempts=(attempt("F1", 1, Outcome.EXIT), attempt("F1", 2)),
    )  # fmt: skip
    gate = task("F2", needs_approval=True)
    runs = task(
        "F3", TaskState.IN_PROGRESS, usage=THREE, usage_by_model={"opus": THREE}, cost_is_complete=False,
        attempts=(attempt("F3", 1, None),),
    )  # fmt: skip
    later = NOON + timedelta(hours=1)
    hold = Hold(agent="claude", program="claude", outcome=Outcome.LIMIT, error="", cure="", kind="5h", until=later)
    gauge = GaugeView(agent="claude", kind="five_hour", used=0.25, resets_at=later)
    budget = BudgetView(max_cost_usd=2.0, cost_usd=0.5, tokens=9)
    of_task = BudgetView(task_id="F1", max_tokens=5, tokens=5)
    told = read(metrics(board(done, gate, runs, started_at=NOON, max_workers=4, holds=(hold,), gauges=(gauge,),
                              budgets=(budget, of_task))))  # fmt: skip
    assert told["nova_run_running"] == {(): 1}
    assert told["nova_run_info"] == {("Shop", "CASCADE.md", "r1", "running"): 1}
    assert told["nova_run_started_seconds"] == {(): NOON.timestamp()}
    assert told["nova_tasks"] == {(str(state),): 0 for state in TaskState} | {
        ("completed",): 1, ("waiting",): 1, ("in_progress",): 1,
    }  # fmt: skip
    assert told["nova_workers"] == {(): 4}
    assert told["nova_attempts"] == {("exit",): 1, ("ok",): 1}
    assert told["nova_tokens"] == {
        ("input", "opus"): 2, ("output", "opus"): 2, ("cache_read", "opus"): 2, ("cache_creation", "opus"): 0,
        ("input", ""): 0, ("output", ""): 1, ("cache_read", ""): 2, ("cache_creation", ""): 0,
    }  # fmt: skip
    assert (told["nova_cost_usd"], told["nova_cost_complete"]) == ({("reported",): 0.5}, {(): 0})
    assert (told["nova_budget_usd"], told["nova_budget_usd_used"]) == ({(): 2.0}, {(): 0.5})
    assert "nova_budget_tokens" not in told
    assert "nova_budget_tokens_used" not in told
    assert told["nova_limit_used_ratio"] == {("claude", "five_hour"): 0.25}
    assert told["nova_limit_resets_seconds"] == {("claude", "five_hour"): later.timestamp()}
    assert told["nova_hold_until_seconds"] == {("claude", "", "5h"): later.timestamp()}
    assert told["nova_needs_somebody"][("gate",)] == 1


def test_a_run_that_is_over() -> None:
    """It does not run, and says when it ended; a token budget is told in tokens."""
    budget = BudgetView(max_tokens=10, tokens=9)
    told = read(metrics(board(condition=Condition.FAILED, end=RunEnd.FAILED, completed_at=NOON, budgets=(budget,))))
    assert told["nova_run_running"] == {(): 0}
    assert told["nova_run_ended_seconds"] == {(): NOON.timestamp()}
    assert (told["nova_budget_tokens"], told["nova_budget_tokens_used"]) == ({(): 10}, {(): 9})


@given(st.text(st.characters()))
def test_any_name_can_be_told(name: str) -> None:
    """Whatever a project or a model is called, the parser reads the same name."""
    plain: dict[str, Any] = {"usage": THREE, "usage_by_model": {name: THREE}}
    text = metrics(board(task("F1", **plain), project=name))
    text.encode()
    found = name.encode(errors="replace").decode()
    if "\r" not in name:  # which this parser takes for the end of a line; Prometheus does not
        assert {labels[0] for labels in read(text)["nova_run_info"]} == {found}
        assert {labels[1] for labels in read(text)["nova_tokens"]} >= {found}


async def test_the_page_has_them(served: Served) -> None:
    """They are where Prometheus looks, in its format, behind the token."""
    answer = await served.client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    told = read(answer.text)
    assert told["nova_run_running"] == {(): 0}
    assert told["nova_tasks"][("failed",)] == 1
    refused = await served.client.get("/metrics", headers={"authorization": ""})
    assert refused.status_code == 401
