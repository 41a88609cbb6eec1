"""The view of a run that everybody is shown."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from nova_async.control.board import Board, Spent, Why
from nova_async.control.shown import head_of
from nova_async.journal.state_document import run_document, task_document
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, GaugeView, Hold, RunView, TaskView
from nova_async.words import Condition, Outcome, Phase, RunEnd, TaskState
from tests.views import NOON, attempt, by_id, run_view

S = TaskState
MINUTE = timedelta(minutes=1)


def task(task_id: str, state: TaskState = S.WAITING, **more: Any) -> TaskView:
    """Return a task in that state."""
    return TaskView(id=task_id, state=state, **more)


def board(*tasks: TaskView, condition: Condition = Condition.RUNNING, **run: Any) -> Board:
    """Return the board of a run with these tasks at noon."""
    return Board(run_view(**run), by_id(*tasks), NOON, condition)


def document(run: RunView, *tasks: TaskView, number: int = 0) -> Mapping[str, Any]:
    """Return what is told of a run and these of its tasks."""
    return {**run_document(run), "tasks": {view.id: task_document(view) for view in tasks}, "number": number}


def test_a_board_from_a_snapshot_and_changes() -> None:
    """It is the document of the state file with a number; a change replaces the tasks that it names."""
    first = Board.of(document(run_view(), task("F1", S.READY), task("F2"), number=7), NOON)
    assert (first.run.project, list(first.tasks), first.number) == ("Shop", ["F1", "F2"], 7)
    assert first.condition is Condition.RUNNING
    begun = task("F1", S.IN_PROGRESS, started_at=NOON, phase=Phase.RUN, activity="Bash: ls")
    second = first.applied({"tasks": {"F1": task_document(begun)}, "number": 9}, NOON + MINUTE)
    assert (list(second.tasks), second.number, second.run) == (["F1", "F2"], 9, first.run)
    assert (second.tasks["F1"].activity, second.tasks["F1"].duration_seconds) == ("Bash: ls", 60.0)
    assert second.tasks["F2"] is first.tasks["F2"]
    third = second.applied(document(run_view(end=RunEnd.STOPPED), number=11), NOON + MINUTE)
    assert (third.condition, third.is_over, third.number) == (Condition.STOPPED, True, 11)
    assert first.tasks["F1"].state is S.READY, "a board stays as it was seen"
    paused = first.applied({"nova": run_document(run_view(is_paused=True))["nova"]}, NOON)
    assert (paused.run.is_paused, paused.run.project) == (True, "Shop"), "the other part stays as it was"


def test_a_strange_document_does_no_harm() -> None:
    """Whatever another version tells, there is a board of it."""
    for strange in ({}, {"project": 1, "nova": [], "tasks": "x", "number": "y"}, {"tasks": {"F1": None}}):
        assert Board.of(strange, NOON, Condition.DEAD).condition is Condition.DEAD
        assert board(task("F1")).applied(strange, NOON).number == 0


def test_the_clocks_of_what_runs_go_on() -> None:
    """At another moment running tasks have worked for longer; once a run is over, no clock moves."""
    tasks = (task("F1", S.IN_PROGRESS, started_at=NOON), task("F2", S.COMPLETED, duration_seconds=7.0))
    later = board(*tasks).at(NOON + MINUTE)
    assert [view.duration_seconds for view in later.tasks.values()] == [60.0, 7.0]
    assert list(later.tasks) == ["F1", "F2"]
    over = board(*tasks, condition=Condition.DEAD).at(NOON + MINUTE)
    assert over.tasks["F1"].duration_seconds == 0.0
    assert over.now == NOON + MINUTE
    assert board(tasks[1]).at(NOON + MINUTE).tasks["F2"].duration_seconds == 7.0


def test_is_it_alive() -> None:
    """The first thing that one wants to know: whether it runs, in which process and since when, or how it ended."""
    assert board().alive == "running"
    assert board(pid=4711, started_at=NOON).alive == f"running (pid 4711), started {NOON.astimezone():%H:%M:%S}"
    assert board(pid=4711, condition=Condition.DEAD).alive == "dead"
    assert board(is_paused=True).alive == "running, paused: nothing new begins"
    assert board(is_paused=True, is_stopping=True).alive == "running, stopping"


def test_what_needs_somebody() -> None:
    """Failed tasks with what they block, then what waiting does not cure, then denied tools."""
    found = board(
        task("F1", S.COMPLETED, denied=("Bash",)),
        task("F2", S.FAILED, error="exit code 3"),
        task("F3", S.BLOCKED, blocked_by=("F2", "F4")),
        task("F4", S.FAILED, error="exit code 4"),
        task("F5", S.BLOCKED, blocked_by=("F2",)),
        task("F6", S.READY, reason="the agent is not logged in"),
        task("F7", S.READY, reason="the agent is not logged in"),
        task("F8", S.WAITING, reason="waits for F7"),
        task("F9", S.COMPLETED),
    ).needs
    assert [(need.why, need.text, need.task_ids, need.blocks) for need in found] == [
        (Why.FAILED, "exit code 3", ("F2",), ("F3", "F5")),
        (Why.FAILED, "exit code 4", ("F4",), ("F3",)),
        (Why.HELD, "the agent is not logged in", ("F6", "F7"), ()),
        (Why.DENIED, "denied: Bash", ("F1",), ()),
    ]
    assert board(task("F1")).needs == []


def test_gates_holds_and_budgets() -> None:
    """Each is told with those who wait for it and what to do; a hold that ends by itself needs nobody."""
    hold = Hold(
        agent="x", program="x", outcome=Outcome.AUTH, error="401", cure="Log in.", waiting=("F2", "F3"),
    )  # fmt: skip
    limit = Hold(agent="x", program="x", outcome=Outcome.LIMIT, error="full", cure="Wait.", until=NOON)
    budgets = (
        BudgetView(max_cost_usd=5.0, cost_usd=5.12, is_used_up=True, waiting=("F4",)),
        BudgetView(task_id="F5", max_tokens=1_000, tokens=1_000, is_used_up=True),
        BudgetView(task_id="F6", max_tokens=1_000),
    )
    found = board(
        task("F1", needs_approval=True, reason="waits for approval"),
        *(task(name, S.READY, reason="is held") for name in ("F2", "F3", "F4")),
        holds=(hold, limit), budgets=budgets,
    ).needs  # fmt: skip
    assert [(need.why, need.text, need.task_ids, need.cure) for need in found] == [
        (Why.GATE, "waits for approval", ("F1",), "`nova approve F1`"),
        (Why.HELD, "x is not logged in, or its key was rejected: 401", ("F2", "F3"), "Log in."),
        (Why.SPENT, "the run's budget of $5.00 is used up: $5.12 spent", ("F4",), ""),
        (Why.SPENT, "F5's budget of 1,000 tokens is used up: 1,000 spent", (), ""),
    ]


def test_a_limit_that_outlasts_the_run() -> None:
    """While it runs it goes on by itself; once it is over, somebody has to: who waits, until when, and what to do."""
    limit = Hold(agent="x", program="x", outcome=Outcome.LIMIT, error="full until noon", cure="Wait.", until=NOON,
                 waiting=("F1",))  # fmt: skip
    waits = task("F1", reason="x has reached its usage limit")
    (need,) = board(waits, condition=Condition.STOPPED, holds=(limit,)).needs
    assert (need.why, need.task_ids, need.cure) == (Why.HELD, ("F1",), "Wait.")
    assert need.text == "x has reached its usage limit: full until noon"
    served = board(task("F1", S.COMPLETED), condition=Condition.STOPPED, holds=(replace(limit, waiting=()),))
    assert served.needs == []


def test_what_is_spent_against_the_budget() -> None:
    """Tokens and money, each with its budget where the run has one; nothing where nothing is used."""
    used = task("F1", S.COMPLETED, usage=TokenUsage(1_000, 500), cost_usd=0.5)
    assert board(task("F1")).spent == []
    assert board(used).spent == [Spent("1.0k in, 500 out"), Spent("$0.50")]
    budget = BudgetView(max_cost_usd=5.0, max_tokens=2_000, cost_usd=0.5, tokens=1_500)
    assert board(used, budgets=(budget,)).spent == [
        Spent("1.0k in, 500 out of 2.0k tokens", 0.75), Spent("$0.50 of $5.00", 0.1),
    ]  # fmt: skip
    none = BudgetView(max_cost_usd=0.0, max_tokens=2_000)
    assert board(task("F1"), budgets=(none,)).spent == [
        Spent("0 in, 0 out of 2.0k tokens", 0.0), Spent("$0.00 of $0.00", 1.0),
    ]  # fmt: skip


def test_usage_limits_with_their_ends() -> None:
    """Tasks that wait for the same are told together; once nothing runs any more, nobody waits."""
    waiting = [
        task(name, reason="waits for the usage limit of x", retry_at=NOON + MINUTE) for name in ("F1", "F2")
    ]  # fmt: skip
    (limit,) = board(*waiting, task("F3")).limits
    assert limit.task_ids == ("F1", "F2")
    assert limit.text.startswith("waits for the usage limit of x until ")
    assert board(*waiting, condition=Condition.STOPPED).limits == []


def test_which_usage_limit_it_is() -> None:
    """By the hold that its tasks wait for, where the agent named the limit."""
    held = Hold(agent="claude", program="claude", outcome=Outcome.LIMIT, error="", cure="", until=NOON + MINUTE)
    waiting = task("F1", reason="waits for the usage limit of claude", retry_at=NOON + MINUTE)
    other = replace(held, agent="codex", kind="seven_day")
    (limit,) = board(waiting, holds=(other, replace(held, kind="five_hour"))).limits
    assert (limit.reason, limit.until, limit.name) == (waiting.reason, NOON + MINUTE, "5-hour limit")
    for unknown in ((), (held,), (other,), (replace(held, kind="five_hour", until=NOON),)):
        assert board(waiting, holds=unknown).limits[0].name == ""
    gauge = GaugeView(agent="claude", kind="five_hour", used=0.996, resets_at=NOON + MINUTE)
    (told,) = head_of(board(gauges=(gauge,)), {})["board"]["gauges"]
    assert told["text"] == "claude: 99 % of its 5-hour limit used"
    assert (told["used"], told["resets_at"]) == (0.996, (NOON + MINUTE).isoformat(timespec="milliseconds"))


def test_the_tasks_that_the_run_is_to_run() -> None:
    """Without the others, what was used says nothing about the budget of all."""
    budget = BudgetView(max_cost_usd=5.0)
    whole = board(task("F1"), task("F2"), budgets=(budget,))
    assert whole.selection is whole
    part = board(task("F1"), task("F2", is_selected=False), budgets=(budget,)).selection
    assert (list(part.tasks), part.run.budgets) == (["F1"], ())


def test_it_is_summed_up() -> None:
    """One line tells how much is done, how much was used, and how long that took."""
    tasks = (
        task("F1", S.COMPLETED, usage=TokenUsage(1_000), cost_usd=0.5, duration_seconds=60.0),
        task("F2", S.IN_PROGRESS, usage=TokenUsage(6), usage_is_final=False, phase=Phase.RUN),
        task("F3", S.WAITING, is_selected=False),
    )
    running, lost = board(*tasks), board(*tasks, condition=Condition.DEAD)
    assert running.sentence == (
        "1 of 3 completed · 1 running · 1 not selected · 1,006 tokens · $0.50 · 1 min 0 s of work"
    )
    assert "1 lost" in lost.sentence
    assert "≥ 1,006 tokens" in lost.sentence
    assert board(task("F1")).sentence == "0 of 1 completed · 0.0 s of work"
    assert running.words == {"completed": 1, "running": 1, "not selected": 1}
    assert [view.id for view in running.running] == ["F2"]
    assert running.total.completed == 1


def test_two_thousand_tasks_take_no_time() -> None:
    """All that is shown of a large plan is worked out within a blink, and a change costs what has changed."""
    tasks = [
        task(f"T{number}", S.BLOCKED, blocked_by=("T0", "T1"), attempts=(attempt(f"T{number}"),))
        for number in range(2_000)
    ]  # fmt: skip
    tasks[0] = task("T0", S.FAILED, error="x")
    large, change = board(*tasks), {"tasks": {"T5": task_document(task("T5", S.READY))}}
    began = time.process_time()
    changed = large.applied(change, NOON)
    assert time.process_time() - began < 0.02
    assert (len(changed.needs[0].blocks), len(changed.limits), changed.words["ready"]) == (1_998, 0, 1)
    assert changed.sentence
    assert time.process_time() - began < 0.2
