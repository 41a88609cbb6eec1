"""What a run looks like: the table on a terminal, the lines elsewhere, the summary at the end."""

import io
import json
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from nova_async.cli.ink import Ink, Span, plain
from nova_async.cli.run_lines import RunLines
from nova_async.cli.run_summary import describe_run, hanging, summary_object
from nova_async.cli.run_table import RunTable
from nova_async.cli.time_left import time_left
from nova_async.control.board import Board
from nova_async.journal.rollup import sum_up
from nova_async.records import Event
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, RunReport, TaskView
from nova_async.words import EventKind, Outcome, Phase, TaskState
from tests.views import by_id, log_at, run_view

NOON = datetime(2026, 1, 2, 12, 0, 0).astimezone()
USED = TokenUsage(1_000, 2_000, 30_000, 400)


def view(task_id: str, state: str = "waiting", **more: Any) -> TaskView:
    """Return a task as one would see it in that state."""
    used: dict[str, Any] = {}
    if state in ("completed", "in_progress", "failed"):
        used = {"attempt": 1, "usage": USED, "duration_seconds": 60.0, "cost_usd": 0.5}
    if state == "in_progress":
        used |= {"phase": Phase.RUN, "usage_is_final": False}
    return TaskView(id=task_id, state=TaskState(state), **{"name": f"Task {task_id}", **used, **more})


def happened(kind: str, task_id: str | None = None, **data: Any) -> Event:
    """Return an event at noon."""
    return Event(kind=EventKind(kind), at=NOON, task_id=task_id, data=data)


def table_of(tasks: Mapping[str, TaskView], *budgets: BudgetView) -> RunTable:
    """Return the table of a run with three workers."""
    run = run_view(max_workers=3, budgets=budgets)
    table = RunTable(lambda views: Board(run, views, datetime.now(UTC)))
    table.show(tasks)
    return table


def picture(tasks: Mapping[str, TaskView], *, width: int = 80, height: int = 24) -> list[str]:
    """Return the lines of a table of that size, without colours."""
    return [plain(line) for line in table_of(tasks).picture(width, height)]


def test_the_table_says_that_an_agent_is_silent(tmp_path: Path) -> None:
    """By the time of its log, which nobody else has to write down."""
    log, ago = tmp_path / "F1.log", datetime.now(UTC) - timedelta(seconds=125)
    log.write_text("Hello\n")
    os.utime(log, (0, ago.timestamp()))
    silent = view("F1", "in_progress", activity="Bash: make", phase=Phase.RUN, phase_since=ago, log=log_at(log))
    assert any("Bash: make · silent for 2 min" in line for line in picture({"F1": silent}, width=120))


def test_the_table_shows_what_is_spent_of_the_runs_budget() -> None:
    """Beside what was used, so that nobody has to look it up."""
    table = table_of(by_id(view("F1", "in_progress")), BudgetView(max_cost_usd=5.0, max_tokens=2_000_000))
    assert plain(table.picture(100, 24)[1]).endswith("1/3 busy · 31.4k in, 2.0k out of 2.0M tokens · $0.50 of $5.00")


def test_what_is_spent_fits_a_narrow_terminal() -> None:
    """The sums of money are what a person looks for, so other words go first."""
    spent = view("F1", "in_progress", estimated_usd=12.5, cost_usd=100.0)
    table = table_of(by_id(spent), BudgetView(max_cost_usd=500.0))
    assert plain(table.picture(70, 24)[1]).endswith("$100.00 + ~$12.50 of $500.00")


def test_a_narrow_column_has_room_for_the_end_of_a_usage_limit() -> None:
    """The time comes before the words are cut."""
    soon = datetime.now(UTC) + timedelta(hours=1, seconds=1)
    lines = picture(by_id(view("F1", reason="waits for the usage limit of claude", retry_at=soon)), width=80)
    assert f"usage limit of claude until {soon.astimezone():%H:%M} (in 1" in lines[3]


def test_who_serves_a_task_is_told_where_there_are_several() -> None:
    """For tasks that run or have ended; where all are served by one, the column is not there."""
    tasks = [
        view("F1", "completed", agent="claude@work"), view("F2", "in_progress", agent="codex"),
        view("F3", "waiting", agent="claude@work"), view("F4", "ready"),
    ]  # fmt: skip
    lines = [line.split() for line in picture(by_id(*tasks), width=100)[2:]]
    assert lines[0][:3] == ["task", "state", "agent"]
    assert [("claude@work" in line, "codex" in line) for line in lines[1:5]] == [
        (True, False), (False, True), (False, False), (False, False),
    ]  # fmt: skip
    same = [replace(task, agent="claude") for task in tasks]
    assert not any("claude" in line or "agent" in line for line in picture(by_id(*same), width=100))
    assert not any("claude" in line for line in picture(by_id(*tasks), width=55)), "no room"
    told = summary_object(report(*tasks))["tasks"]
    assert [task["agent"] for task in told.values()] == ["claude@work", "codex", "claude@work", None]


def test_the_table() -> None:
    """Each task with what it does, what it used, what it cost; above it how far the run is."""
    lines = picture(
        by_id(
            view("F1", "completed"),
            view("F2", "in_progress", activity="Bash: pytest -q"),
            view("F3", "failed", error="exit code 3"),
            view("F4", "blocked", reason="blocked by F3"),
            view("F5", "retrying", retry_at=datetime.now(UTC) + timedelta(seconds=29.9), error="overloaded", attempt=2),
        )
    )
    text = [" ".join(line.split()) for line in lines]
    assert text[0].startswith("Shop")
    assert text[0].endswith("1/5 1 failed 1 blocked")
    assert "elapsed" in text[1]
    assert text[1].endswith("1/3 busy · 94.2k in, 6.0k out · $1.50")
    assert text[3:] == [
        "F1 Task F1 ✓ completed 33.4k $0.50 1:00",
        "F2 Task F2 ▸ running Bash: pytest -q 33.4k $0.50 1:00",
        "F3 Task F3 ✗ failed exit code 3 33.4k $0.50 1:00",
        "F4 Task F4 ⊘ blocked blocked by F3",
        "F5 Task F5 ↻ retrying in 0:29: overloaded 2 0:00",
    ]


def test_groups_have_headings() -> None:
    """Tasks stand below their group, indented and in the order of the plan; a finished group is one line."""
    tasks = by_id(
        view("F1", "completed", group="Base"), view("F2", group="Base"), view("A1", "completed", group="App"),
        view("A2", "completed", group="App"), view("W1", group="Words"),
    )  # fmt: skip
    lines = picture(tasks)
    assert [line.split()[0] for line in lines[3:]] == ["Base", "F1", "F2", "App", "Words", "W1"]
    assert lines[4].startswith("  F1 Task F1")
    assert lines[3].split()[:2] == ["Base", "1/2"]
    assert " ".join(lines[6].split()) == "App ✓ 2/2 66.8k $1.00 2:00"
    assert picture(by_id(view("F1", group="Base")))[3].startswith("F1")  # a lone group needs no heading


@pytest.mark.parametrize(("width", "height"), [(40, 8), (80, 24), (100, 30), (200, 60)])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    """No line is longer than the terminal, and there are fewer lines than it has, whatever the tasks are called."""
    dice = random.Random(1)
    states = list(TaskState)
    tasks = by_id(
        *(
            view(
                f"T{number}" + "x" * dice.choice((0, 50)),
                dice.choice(states),
                activity="日本語 " * 40 + "\x1b[2J\r\n",
                reason="waits for " + "T1, " * 99,
                group=f"G{number % 3}\x1b]0;x\x07",
                name="[bold]",
            )
            for number in range(300)
        )
    )
    lines = picture(tasks, width=width, height=height)
    assert len(lines) < height
    assert len(lines) > height - 4
    assert all(cell_len(line) <= width for line in lines)
    assert not any("\x1b" in line for line in lines)


def large_plan(*changed: TaskView) -> Mapping[str, TaskView]:
    """Return 120 tasks in 8 groups, some of them in other states."""
    tasks = by_id(*(view(f"T{number}", group=f"G{number // 15}") for number in range(120)))
    return {**tasks, **{task.id: replace(task, group=tasks[task.id].group) for task in changed}}


def test_what_matters_is_shown_of_a_large_plan() -> None:
    """Where not all fit: what runs, what failed, then what comes next, each below its group; the rest is counted."""
    changed = [view("T5", "completed"), view("T30", "failed", error="exit code 3"), view("T119", "in_progress")]
    lines = picture(large_plan(*changed))
    assert len(lines) == 23
    first = [line.split()[0] for line in lines[3:-1]]
    assert first[:2] == ["G0", "T0"]
    assert [first[first.index("G2") + 1], first[-2], first[-1]] == ["T30", "G7", "T119"]
    assert [name for name in first if name.startswith("G")] == [f"G{number}" for number in range(8)]
    assert "exit code 3" in next(line for line in lines if "T30" in line)
    assert lines[-1] == "… 108 more waiting, 1 more completed"


def test_rows_keep_their_order() -> None:
    """While tasks begin, fail and end, none of those that are shown changes places with another."""
    dice, tasks = random.Random(2), dict(large_plan())
    order = {task_id: place for place, task_id in enumerate(tasks)}
    for _ in range(200):
        task_id = dice.choice(list(tasks))
        tasks[task_id] = replace(view(task_id, dice.choice(list(TaskState))), group=tasks[task_id].group)
        shown = [order[name] for line in picture(tasks)[3:] if (name := line.split()[0]) in order]
        assert shown == sorted(shown)
        running = [task.id for task in tasks.values() if task.state is TaskState.IN_PROGRESS]
        assert {order[name] for name in running[:5]} <= set(shown)


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_the_table_keeps_its_shape(columns: int) -> None:
    """Whatever a task does, the columns stand where they stood."""
    shapes = set()
    for activity in ("", "short", "日本語 " * 30, "👨\u200d👩\u200d👧 " * 40, "x" * 500):
        lines = picture(by_id(view("F1", "in_progress", activity=activity)), width=columns)
        assert all(cell_len(line) <= columns for line in lines)
        shapes.add((lines[2].index("state"), cell_len(lines[3].rstrip())))
    assert len(shapes) == 1


def last_picture(tasks: Mapping[str, TaskView]) -> list[str]:
    """Return the lines that stay at the end of a run."""
    return [plain(line) for line in table_of(tasks).last_picture(80)]


def test_what_stays_at_the_end() -> None:
    """A line for each task; of a large plan one for each finished group, and one for every task that failed."""
    tasks = by_id(view("F1", "completed", group="A"), view("F2", group="B"), view("F3", "ready", group="B", attempt=1))
    lines = [" ".join(line.split()) for line in last_picture(tasks)]
    held = by_id(view("F1", "ready", reason="claude is not logged in"), view("F2", "ready", reason="waits for F1"))
    assert [" ".join(line.split()) for line in last_picture(held)[1:]] == [
        "F1 Task F1 - not started claude is not logged in", "F2 Task F2 - not started",
    ]  # fmt: skip
    assert lines[1:] == ["A ✓ 1/1 33.4k $0.50 1:00", "F1 Task F1 ✓ completed 33.4k $0.50 1:00", "B 0/2",
                         "F2 Task F2 - not started", "F3 Task F3 - stopped 0:00"]  # fmt: skip
    done = [view(f"T{number}", "completed") for number in range(15)]
    failed = [view(f"T{number}", "failed", error="x") for number in range(30, 120)]
    lines = last_picture(large_plan(*done, *failed))
    assert lines[1].split()[:3] == ["G0", "✓", "15/15"]
    assert sum("failed" in line for line in lines) == 90
    assert lines[-1] == "… 15 more not started"


def test_lines() -> None:
    """One line for each event, with the time; what its neighbours tell is left out."""
    output = io.StringIO()
    lines = RunLines(output)
    used = {"attempt": 1, "duration_seconds": 153.0, "tokens": 12345, "cost_usd": 0.42}
    with lines:
        for event in (
            happened("run_started", project="Shop", total=3, completed=1),
            happened("attempt_started", "F1", attempt=1, program="/usr/bin/claude"),
            happened("attempt_ended", "F1", outcome="ok", **used),
            happened("task_completed", "F1", outcome="ok", **used),
            happened("task_retrying", "F2", attempt=1, outcome="overload", error="API\nError", delay_seconds=30.0),
            happened("task_failed", "F2", outcome="exit", error=None, duration_seconds=2.0, blocks=["F3", "F4"]),
            happened("task_completed", "F5", duration_seconds=2.0, tokens=9, estimated_usd=0.4, usage_is_final=True),
            happened("task_completed", "F6", duration_seconds=2.0, tokens=9, estimated_usd=0.4, usage_is_final=False),
            happened("phase_started", "F1", attempt=1, phase="verify"),
            happened("phase_started", "F1", attempt=1, phase="settle"),
            happened("warning", message="journal.db was taken away; it is written anew"),
            happened("milestone", id="m", message="Half.", hint="open it"),
            happened("stopping", running=["F1"]),
            happened("run_ended", completed=1, failed=1, blocked=2, duration_seconds=160.0),
        ):
            lines.say(event)
        lines.draw()
    assert output.getvalue().splitlines() == [
        "12:00:00 Shop: 3 tasks, 1 already completed",
        "12:00:00 F1 started (attempt 1) claude",
        "12:00:00 F1 completed in 2 min 33 s · 12,345 tokens · $0.42",
        "12:00:00 F2 failed (attempt 1: API Error); retrying in 30 s",
        "12:00:00 F2 failed after 2.0 s: outcome exit; blocks F3, F4",
        "12:00:00 F5 completed in 2.0 s · 9 tokens · ~$0.40",
        "12:00:00 F6 completed in 2.0 s · ≥ 9 tokens · ≥ ~$0.40",
        "12:00:00 F1 checking",
        "12:00:00 warning: journal.db was taken away; it is written anew",
        "12:00:00 milestone: Half. (open it)",
        "12:00:00 stopping F1",
        "12:00:00 ended: 1 completed, 1 failed, 2 blocked in 2 min 40 s",
    ]


def test_json_lines() -> None:
    """--json writes every event, as it is."""
    output = io.StringIO()
    lines = RunLines(output, as_json=True)
    events = [happened("attempt_ended", "F1", outcome="ok"), happened("milestone", id="m", message="ä\n")]
    for event in events:
        lines.say(event)
    lines.draw()
    assert [json.loads(line) for line in output.getvalue().splitlines()] == [event.as_dict() for event in events]


def test_time_left() -> None:
    """It is the larger of all the work shared by the workers and the longest chain, at the mean time of a task."""
    done, running = view("F1", "completed"), view("F2", "in_progress", duration_seconds=45.0)
    waiting = [view(f"W{number}") for number in range(6)]
    assert time_left([running, *waiting], 3) is None  # nothing has been seen yet
    assert time_left([done], 3) is None  # nothing is left
    assert time_left([done, running, *waiting], 3) == (15 + 6 * 60) / 3
    assert time_left([done, running, *waiting], 100) == (15 + 6 * 60) / 7
    assert time_left([done, running, *waiting], 3, lambda task_id: 4) == 4 * 60
    assert time_left([done, view("B", "blocked"), running], 3) == 15
    assert time_left([done, view("S", "in_progress", duration_seconds=500.0)], 3) is None  # longer than was thought
    assert time_left([done, view("S", "in_progress", duration_seconds=500.0)], 3, lambda task_id: 1) is None


def test_time_left_after_a_quick_beginning() -> None:
    """A first task that took no time says little once others run longer, and nothing is left in "0 s"."""
    quick = view("F1", "completed", duration_seconds=0.0001)
    slow, waiting = view("F2", "in_progress", duration_seconds=8.0), view("W1")
    left = time_left([quick, slow, waiting], 3, lambda task_id: 1)
    assert left is not None
    assert left == pytest.approx(4, abs=0.01)
    assert time_left([quick, view("F2", "in_progress", duration_seconds=0.0001), waiting], 3) is None


def report(*tasks: TaskView, **more: Any) -> RunReport:
    """Return the report of a run that took ten minutes."""
    sums = sum_up(tasks)
    facts: dict[str, Any] = {
        "run_id": "r1", "project": "Shop", "tasks": by_id(*tasks), "started_at": datetime.now(UTC),
        "duration_seconds": 600.0, "usage": sums.usage, "usage_by_model": {"opus": sums.usage},
        "usage_is_final": sums.usage_is_final, "cost_usd": sums.cost_usd, "estimated_usd": sums.estimated_usd,
        "cost_is_complete": sums.cost_is_complete,
        "milestones": {},
    }  # fmt: skip
    return RunReport(**{**facts, **more})


def told_by(ended: RunReport, *, interrupted: bool = False) -> list[str]:
    """Return the lines of the summary, without colours."""
    return [plain(line) for line in describe_run(ended, interrupted=interrupted)]


def test_the_summary_of_a_success() -> None:
    """It says what was done, how long it took, what it used and what it cost."""
    by_model = {"opus": USED, "haiku": TokenUsage(1, 2, 3, 4)}
    lines = told_by(
        report(
            view("F1", "completed"), view("F2", "completed"),
            usage_by_model=by_model, cost_is_complete=False, milestones={"m": "Half."},
        )
    )  # fmt: skip
    assert lines == [
        "",
        "Shop: 2 of 2 completed",
        "  time    10 min 0 s (2 min 0 s of work)",
        "  tokens  66,800: 2,000 input · 4,000 output · 60,000 cache read · 800 cache creation",
        "          opus: 33,400, of which 2,000 output",
        "          haiku: 10, of which 2 output",
        "          other: 33,390, of which 1,998 output",
        "  cost    ≥ $1.00, as reported by the agents",
        "  reached Half.",
    ]


def test_the_summary_of_a_failure(tmp_path: Path) -> None:
    """It tells of each failed task why, the end of its log, whom it blocks, and what to do."""
    log = tmp_path / "F1.log"
    log.write_bytes(b"x" * 200_000 + b"\n" + b"".join(b"line %d \xff\x1b[31m\n" % number for number in range(30)))
    failed = view("F1", "failed", outcome=Outcome.EXIT, error="exit code [3]", log_path=str(log), attempt=2)
    blocked = [view(task, "blocked", blocked_by=("F1",)) for task in ("F2", "F3")]
    text = "\n".join(told_by(report(failed, *blocked)))
    assert "1 failed, 2 blocked" in text
    assert "F1 failed Task F1: exit in attempt 2, 1 min 0 s\n  exit code [3]" in text
    assert text.count("│ line") == 5
    assert "line 29 \\xff" in text
    assert f"log     {log}" in text
    assert "blocked by F1: F2, F3" in text
    assert "`nova retry F1`, then `nova run`; or `nova run --retry-failed`" in text


def test_the_summary_of_an_interrupted_run() -> None:
    """It says how many tasks are open, and how to go on."""
    lines = told_by(report(view("F1", "completed"), view("F2", "ready")), interrupted=True)
    assert "1 unfinished" in lines[1]
    assert lines[-1] == "Resume with `nova run`"


def test_the_summary_of_a_run_over_its_budget() -> None:
    """Another run would start nothing, so none is advised before the budget is a larger one."""
    used_up = BudgetView(max_cost_usd=0.5, cost_usd=0.53, is_used_up=True, stopped=("F2",), waiting=("F2",))
    lines = told_by(report(view("F1", "completed"), view("F2", "ready"), budgets=(used_up,)), interrupted=True)
    assert lines[-3:] == [
        "The run's budget of $0.50 is used up: $0.53 spent, $0.03 beyond it, by what one agent had under way",
        "  1 task waits: F2",
        "  To go on, allow more: `nova run --budget MORE`, or raise budget_usd in the plan and `nova run`",
    ]
    lines = told_by(report(view("F1", "completed"), budgets=(replace(used_up, stopped=(), waiting=()),)))
    assert not any("MORE" in line for line in lines), "nothing is left to do"
    failed = replace(used_up, waiting=())
    lines = told_by(report(view("F1", "failed", outcome=Outcome.BUDGET), budgets=(failed,)))
    assert any("MORE" in line for line in lines), "as long as it is used up, trying again starts nothing"


def test_a_used_up_budget_is_told_once() -> None:
    """The summary says all of it, so the warnings of the run need not be there too; those of other budgets are."""
    used_up = BudgetView(max_cost_usd=0.5, cost_usd=0.53, is_used_up=True, stopped=("F2",), waiting=("F2",))
    own = BudgetView(task_id="F1", max_tokens=10, tokens=10, is_used_up=True, waiting=("F1",))
    warnings = (
        "the run's budget of $0.50 is 80 % used ($0.41 spent)",
        "the run's budget of $0.50 is used up ($0.53 spent); nothing more starts, and running agents are asked to stop",
        "F1's budget of 10 tokens is 80 % used (8 tokens spent)", "F11's budget of 10 tokens is 80 % used (8 spent)",
    )  # fmt: skip
    ended = report(view("F1", "ready"), view("F2", "ready"), budgets=(used_up, own), warnings=warnings)
    told = [line for line in told_by(ended) if " budget of " in line]
    assert [line.split(" budget")[0] for line in told] == ["  warning F11's", "The run's", "F1's"]
    done = report(view("F1", "completed"), budgets=(replace(used_up, waiting=()),), warnings=warnings[1:2])
    assert sum(" budget of " in line for line in told_by(done)) == 1, "where nothing is left to do, the warning tells"


def test_the_summary_of_a_task_over_its_own_budget() -> None:
    """It says which task, what waits for it, and the option that allows it more."""
    used_up = BudgetView(task_id="F2", max_tokens=1000, tokens=1000, is_used_up=True, waiting=("F2", "F3"))
    lines = told_by(report(view("F1", "completed"), view("F2", "waiting"), view("F3", "waiting"), budgets=(used_up,)))
    assert lines[-3:] == [
        "F2's budget of 1,000 tokens is used up: 1,000 spent",
        "  2 tasks wait: F2, F3",
        "  To go on, allow more: `nova run --task-budget-tokens MORE`, or raise its budget_tokens in the plan "
        "and `nova run`",
    ]


def test_the_summary_names_the_plan_that_goes_on() -> None:
    """A plan that is not CASCADE.md has to be named again, in each command that is advised."""
    used_up = BudgetView(max_cost_usd=0.5, cost_usd=0.5, is_used_up=True, waiting=("F2",))
    ended = report(view("F1", "failed", outcome=Outcome.EXIT), view("F2", "ready"), budgets=(used_up,))
    lines = [plain(line) for line in describe_run(ended, interrupted=False, again="nova run next.md")]
    commands = [part for line in lines for part in line.split("`")[1::2] if part.startswith("nova run")]
    assert len(commands) == 4
    assert all(part.startswith("nova run next.md") for part in commands)


def test_the_models_add_up() -> None:
    """What agents used that named no model stands beside the models; a lone model needs no line."""
    lines = told_by(report(view("F1", "completed"), usage_by_model={}))
    assert not any("other" in line for line in lines)
    lines = told_by(report(view("F1", "completed"), usage_by_model={"m": TokenUsage(1_000)}))
    shown = [int(line.split(": ")[1].split(", of")[0].replace(",", "")) for line in lines if ", of which" in line]
    assert sum(shown) == USED.total
    assert len(shown) == 2


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"usage": TokenUsage(), "usage_is_final": False, "cost_usd": None}, []),
        ({"usage": TokenUsage(), "cost_usd": None}, []),
        ({"usage": TokenUsage(5), "cost_usd": None, "cost_is_complete": False}, ["tokens  5"]),
        ({"usage": TokenUsage(5), "usage_is_final": False, "cost_usd": 0.5}, ["tokens  ≥ 5", "cost    $0.50"]),
        ({"usage": TokenUsage(5), "cost_usd": 0.0}, ["tokens  5", "cost    $0.00"]),
        ({"usage": TokenUsage(5), "cost_usd": 0.0, "cost_is_complete": False}, ["tokens  5"]),
        ({"usage": TokenUsage(5), "cost_usd": 1.2, "cost_is_complete": False}, ["tokens  5", "cost    ≥ $1.20"]),
        (
            {"usage": TokenUsage(5), "cost_usd": None, "estimated_usd": 0.45},
            ["tokens  5", "cost    ~$0.45, estimated by prices"],
        ),
        (
            {"usage": TokenUsage(5), "cost_usd": 1.2, "estimated_usd": 0.45, "cost_is_complete": False},
            ["tokens  5", "cost    ≥ $1.20 + ~$0.45, as reported by the agents, ~ estimated by prices"],
        ),
    ],
)
def test_unknown_is_not_nothing(facts: dict[str, Any], told: list[str]) -> None:
    """Of what nobody knows there is no line; what is known to be too little says so."""
    lines = told_by(report(view("F1", "completed", **facts)))
    shown = [line.strip() for line in lines if line.startswith(("  tokens", "  cost"))]
    assert len(shown) == len(told)
    assert all(line.startswith(begin) for line, begin in zip(shown, told, strict=True))


def test_unknown_in_the_table() -> None:
    """A cell is empty where nothing is known; what has ended with too low a count is marked, what runs is not."""
    partly = {"usage_is_final": False, "cost_usd": None, "cost_is_complete": False}
    lines = picture(
        by_id(
            view("F1", "completed", **{**partly, "usage": TokenUsage()}),
            view("F2", "failed", error="x", **partly),
            view("F3", "in_progress", **partly),
            view("F4", "completed", **{**partly, "cost_usd": 0.25}),
        )
    )
    assert [" ".join(line.split()) for line in lines[3:]] == [
        "F1 Task F1 ✓ completed 1:00",
        "F2 Task F2 ✗ failed x ≥ 33.4k - 1:00",
        "F3 Task F3 ▸ running 33.4k - 1:00",
        "F4 Task F4 ✓ completed ≥ 33.4k ≥ $0.25 1:00",
    ]
    assert " ".join(lines[1].split()).endswith("busy · 94.2k in, 6.0k out · ≥ $0.25")
    assert "$" not in picture(by_id(view("F1", "completed", **partly)))[1]


def test_what_a_running_task_is_at() -> None:
    """The table tells the phases of an attempt apart, that it is being stopped, and that bytes of a log are missing."""
    lines = picture(
        by_id(
            view("F1", "in_progress", phase=Phase.PREPARE),
            view("F2", "in_progress", phase=Phase.VERIFY, activity="pytest -q: 12 items"),
            view("F3", "in_progress", phase=Phase.SETTLE),
            view("F4", "in_progress", activity="ls", log_error="disk full"),
            view("F5", "in_progress", activity="finished, leaving"),
            view("F6", "in_progress", activity="ls", is_stopping=True),
            view("F7", "completed", denied=("Bash",)),
            view("F8", "ready", reason="waits for a free worker"),
            view("F9", "ready", reason="claude is not logged in"),
        )
    )
    doing = [" ".join(line.split()[3:]).rpartition(" 33.4k")[0] or " ".join(line.split()[3:]) for line in lines[3:]]
    assert doing == [
        "▸ starting", "▸ checking pytest -q: 12 items", "▸ finishing", "▸ running ls · log error: disk full",
        "▸ running finished, leaving", "! stopping ls", "✓ completed denied: Bash", "- ready waits for a free worker",
        "⊘ on hold claude is not logged in",
    ]  # fmt: skip


def test_troubles_are_in_the_summary() -> None:
    """What is wrong with logs or files is told, also of tasks that have completed, and so are refused tools."""
    tasks = (view("F1", "completed", log_error="12 bytes [lost]"), view("F2", "completed", denied=("Bash", "Write")))
    lines = told_by(report(*tasks, warnings=("state file: disk full",)))
    assert [line for line in lines if "warning" in line] == [
        "  warning state file: disk full",
        "  warning F1: log error: 12 bytes [lost]",
        "  warning F2 was denied Bash, Write: allow them in the agent's own settings, "
        "or give the task wider permissions (`permissions: full` below it, or `nova run --permissions full`)",
    ]
    many = [view(f"F{number}", "completed", log_error="x") for number in range(50)]
    lines = [line for line in told_by(report(*many)) if "warning" in line]
    assert lines[-1] == "  warning and 40 more like these"


def test_a_full_disk_is_told_once() -> None:
    """Of a log that lacks bytes the task tells how many by now; the warning when it began says nothing more."""
    task = view("F1", "completed", log_error="900 bytes are missing: disk full")
    lines = told_by(report(task, warnings=("log of F1: 12 bytes are missing: disk full", "log of F10: x")))
    assert [line.split(" ", 3)[3] for line in lines if "warning" in line] == [
        "log of F10: x", "F1: log error: 900 bytes are missing: disk full",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [30, 60, 80])
def test_the_summary_fits_the_terminal(width: int) -> None:
    """A line that is too wide goes on below its text, parted at blanks, and keeps its label's colour."""
    by_model = {"m" * 20: USED}
    ended = report(view("F1", "failed", error="e " * 80), usage_by_model=by_model, warnings=("w " * 90,))
    lines = [part for line in describe_run(ended, interrupted=False) for part in hanging(line, width)]
    assert all(cell_len(plain(line)) <= width for line in lines)
    assert "".join("".join(map(plain, lines)).split()) == "".join("".join(told_by(ended)).split())
    warning = next(number for number, line in enumerate(lines) if "warning" in plain(line))
    assert lines[warning][0] == Span("  warning", Ink.AMBER)
    assert plain(lines[warning + 1]).startswith("          w")


def test_the_summary_as_json() -> None:
    """It is one object that names itself, with every task."""
    answer = json.loads(json.dumps(summary_object(report(view("F1", "completed"), view("F2", "failed", error="x")))))
    assert (answer["event"], answer["ok"]) == ("summary", False)
    assert answer["tasks"]["F2"]["error"] == "x"
    assert answer["token_usage"]["cache_read_tokens"] == 60_000
