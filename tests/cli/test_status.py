"""``nova status``: how a run stands, while it runs and afterwards, from what it has written down."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nova_async.cli.status import gauges, limits
from nova_async.control.board import Board
from nova_async.orchestrator.holding import warning_of
from nova_async.process.table import TABLE
from nova_async.usage import TokenUsage
from nova_async.views import BudgetView, GaugeView, Hold, RunView, TaskView
from nova_async.words import Condition, Outcome, Phase, RunEnd, TaskState
from tests.cli.command import HAS_SETSID, in_a_terminal, nova, read_to_the_end
from tests.views import attempt, by_id, log_at, run_view, write_state

USED = TokenUsage(1, 2, 3, 1000)
GROUP = {"branch": "App", "group": "Base"}


def ourselves(**more: Any) -> RunView:
    """Return a run that this process supervises."""
    entry = TABLE.look(os.getpid())
    assert entry is not None
    return run_view(pid=os.getpid(), pid_start_time=entry.start_time, **more)


def dead(**more: Any) -> RunView:
    """Return a run whose supervisor's pid somebody else has by now."""
    return run_view(pid=os.getpid(), pid_start_time=1.0, **more)


def task(task_id: str, state: TaskState, **more: Any) -> TaskView:
    """Return a task as one would see it in that state."""
    facts: dict[str, Any] = {}
    if state is TaskState.IN_PROGRESS:
        facts = {
            "attempt": 1, "usage": USED, "usage_is_final": False, "cost_is_complete": False, "phase": Phase.RUN,
            "started_at": datetime.now(UTC) - timedelta(seconds=100), "attempts": (attempt(task_id, outcome=None),),
        }  # fmt: skip
    elif state in (TaskState.COMPLETED, TaskState.FAILED):
        facts = {"attempt": 1, "usage": USED, "duration_seconds": 12.75, "cost_usd": 0.5}
    if state is TaskState.FAILED:
        facts["error"] = "exit code 3"
    return TaskView(id=task_id, state=state, **{**facts, **GROUP, **more})


def lines_of(text: str) -> list[str]:
    """Return the lines, with single blanks."""
    return [" ".join(line.split()) for line in text.splitlines()]


def status(folder: Path, run: RunView, *tasks: TaskView) -> list[str]:
    """Return what is shown of a run."""
    write_state(folder, run, by_id(*tasks))
    return lines_of(nova("status", cwd=folder).stdout)


def test_a_run_at_work(tmp_path: Path) -> None:
    """Each task with its state, the groups summed up; the time of a running task goes on from its beginning."""
    lines = status(
        tmp_path,
        ourselves(),
        task("F1", TaskState.COMPLETED),
        task("F2", TaskState.IN_PROGRESS, activity="Bash: pytest"),
        task("F3", TaskState.WAITING, reason="waits for F2", name="Store"),
        task("W1", TaskState.WAITING, group="Words"),
    )
    assert lines[0] == f"Shop: running (pid {os.getpid()})"
    assert lines[1] == "task state doing tokens cost time"
    assert lines[2].startswith("Base 1/3 2.0k ≥ $0.50 1:5")
    assert lines[3] == "F1 ✓ completed 1.0k $0.50 0:12"
    assert lines[4].startswith("F2 ▸ running Bash: pytest 1.0k - 1:4")
    assert lines[5:8] == ["F3 Store - waiting waits for F2", "Words 0/1", "W1 - waiting"]
    assert lines[-1].startswith("1 of 4 completed · 1 running · 2,012 tokens · ≥ $0.50 · 1 min 5")


@pytest.mark.parametrize(
    ("phase", "activity", "told"),
    [
        (Phase.PREPARE, None, "starting"),
        (Phase.RUN, None, "running"),
        (Phase.RUN, "Bash: ls", "running Bash: ls"),
        (Phase.VERIFY, "pytest -q: collected 12 items", "checking pytest -q: collected 12 items"),
        (Phase.SETTLE, None, "finishing"),
    ],
)
def test_what_an_attempt_is_at(tmp_path: Path, phase: Phase, activity: str | None, told: str) -> None:
    """In every phase one sees what is done, and the clock goes on."""
    doing = status(tmp_path, ourselves(), task("F1", TaskState.IN_PROGRESS, phase=phase, activity=activity))[2]
    assert doing.startswith(f"F1 ▸ {told} 1.0k - 1:4")


def test_a_silent_agent(tmp_path: Path) -> None:
    """The table and the JSON document say for how long, by the time of its log; ``nova show`` says the same."""
    log, ago = tmp_path / "F1.log", datetime.now(UTC) - timedelta(seconds=125)
    log.write_text("Hello\n")
    os.utime(log, (0, ago.timestamp()))
    view = task("F1", TaskState.IN_PROGRESS, activity="thinking", phase_since=ago, log=log_at(log), log_path=str(log))
    lines = status(tmp_path, ourselves(), view)
    assert any("thinking · silent for 2 min" in line for line in lines), lines
    looks = json.loads(nova("status", "--json", cwd=tmp_path).stdout)["looks"]["F1"]
    assert 125 <= looks["silent_seconds"] < 300
    assert looks["doing"].endswith("; the agent may be waiting for its provider")
    shown = nova("show", "F1", cwd=tmp_path).stdout
    assert "silent for 2 min" in shown
    told = json.loads(nova("show", "F1", "--json", cwd=tmp_path).stdout)
    assert 125 <= told["silent_seconds"] < 300


def test_a_task_that_is_being_stopped(tmp_path: Path) -> None:
    """It is not said to run."""
    lines = status(tmp_path, ourselves(), task("F1", TaskState.IN_PROGRESS, is_stopping=True, activity="Bash: ls"))
    assert lines[2].startswith("F1 ! stopping Bash: ls 1.0k")


def test_the_time_of_earlier_attempts_counts(tmp_path: Path) -> None:
    """A running task has worked for as long as its ended attempts and the present one together."""
    attempts = (attempt(number=1, outcome=Outcome.STALLED, duration_seconds=3600.0), attempt(number=2, outcome=None))
    lines = status(tmp_path, ourselves(), task("F1", TaskState.IN_PROGRESS, attempt=2, attempts=attempts))
    assert "1:01:4" in lines[2]


def test_a_run_that_failed(tmp_path: Path) -> None:
    """A failed task makes the exit code 1; what waits for it is shown as blocked."""
    blocked = task("F2", TaskState.BLOCKED, blocked_by=("F1",))
    write_state(tmp_path, run_view(end=RunEnd.FAILED), by_id(task("F1", TaskState.FAILED), blocked))
    done = nova("status", cwd=tmp_path)
    assert done.returncode == 1
    lines = lines_of(done.stdout)
    assert lines[0] == "Shop: failed"
    assert lines[2:4] == ["F1 ✗ failed exit code 3 1.0k $0.50 0:12", "F2 ⊘ blocked blocked by F1"]
    assert lines[-1].startswith("0 of 2 completed · 1 failed · 1 blocked · 1,006 tokens · $0.50")


@pytest.mark.parametrize(("end", "word"), [(RunEnd.STOPPED, "stopped"), (RunEnd.COMPLETED, "completed")])
def test_a_run_that_is_over_in_a_program_that_lives_on(tmp_path: Path, end: RunEnd, word: str) -> None:
    """Once the run has said so it is over, and nobody waits for a free worker or the next try."""
    lines = status(
        tmp_path,
        ourselves(end=end),
        task("F1", TaskState.READY, reason="waits for a free worker"),
        task("F2", TaskState.RETRYING, attempt=1),
        task("F3", TaskState.WAITING, reason="waits for F1"),
    )
    assert lines[0] == f"Shop: {word}"
    assert lines[2:5] == ["F1 - not started", "F2 - stopped 0:00", "F3 - not started"]


def test_a_run_whose_supervisor_died(tmp_path: Path) -> None:
    """Without its supervisor nothing is in progress: it is lost, its clock stands, its tokens are too few."""
    lost = task("F1", TaskState.IN_PROGRESS, duration_seconds=7.0)
    write_state(tmp_path, dead(), by_id(lost, task("F2", TaskState.READY, reason="waits for a free worker")))
    done = nova("status", cwd=tmp_path)
    assert done.returncode == 1
    lines = lines_of(done.stdout)
    assert lines[:2] == ["Shop: dead", "The supervisor died before the run ended. Resume with `nova run`"]
    assert lines[3:5] == ["F1 ✗ lost ≥ 1.0k - 0:07", "F2 - not started"]
    assert lines[-1] == "0 of 2 completed · 1 lost · ≥ 1,006 tokens · 7.0 s of work"


def test_a_run_that_died_between_two_tasks(tmp_path: Path) -> None:
    """Its supervisor is gone and it never said that it had ended."""
    assert status(tmp_path, dead(), task("F1", TaskState.COMPLETED), task("F2", TaskState.READY))[0] == "Shop: dead"


def test_a_run_that_ended_well(tmp_path: Path) -> None:
    """It stays completed when its supervisor has gone."""
    assert status(tmp_path, dead(end=RunEnd.COMPLETED), task("F1", TaskState.COMPLETED))[0] == "Shop: completed"


def test_an_end_that_an_earlier_version_wrote(tmp_path: Path) -> None:
    """A run that has a time of its end is over, though it has no word for how."""
    run = ourselves(completed_at=datetime.now(UTC))
    assert status(tmp_path, run, task("F1", TaskState.COMPLETED))[0] == "Shop: completed"
    assert status(tmp_path, run, task("F1", TaskState.READY))[0] == "Shop: stopped"


def test_nothing_known_is_not_nothing(tmp_path: Path) -> None:
    """Where nobody told tokens or cost, none are shown; a sum that is known to be too small says so."""
    silent = task("F1", TaskState.COMPLETED, usage=TokenUsage(), usage_is_final=False, cost_usd=None)
    partly = task("F2", TaskState.FAILED, usage_is_final=False, cost_usd=0.25, cost_is_complete=False)
    lines = status(tmp_path, run_view(end=RunEnd.FAILED), silent)
    assert lines[2] == "F1 ✓ completed 0:12"
    assert lines[-1] == "1 of 1 completed · 13 s of work"
    lines = status(tmp_path, run_view(end=RunEnd.FAILED), silent, partly)
    assert lines[3] == "F2 ✗ failed exit code 3 ≥ 1.0k ≥ $0.25 0:12"
    assert lines[-1] == "1 of 2 completed · 1 failed · ≥ 1,006 tokens · ≥ $0.25 · 26 s of work"


def test_troubles_are_shown(tmp_path: Path) -> None:
    """Missing bytes of a log stand with the task, and what is wrong with the run above all tasks."""
    run = run_view(end=RunEnd.COMPLETED, warnings=("the state file: No space left on device",))
    lines = status(tmp_path, run, task("F1", TaskState.COMPLETED, log_error="12 bytes are missing: disk full"))
    assert lines[1] == "warning the state file: No space left on device"
    assert "log error: 12 bytes are missing: disk full" in lines[3]


def test_what_needs_somebody_stands_above_the_table(tmp_path: Path) -> None:
    """Gates, agents that cannot work and used-up budgets are told with what to do about them, and only once."""
    hold = Hold(agent="x", program="x", outcome=Outcome.AUTH, error="401", cure="Log in.", waiting=("F2",))
    budget = BudgetView(max_cost_usd=5.0, cost_usd=5.12, is_used_up=True)
    lines = status(
        tmp_path,
        ourselves(is_paused=True, holds=(hold,), budgets=(budget,), warnings=(warning_of(hold), "disk full")),
        task("F1", TaskState.WAITING, needs_approval=True, name="Ship"),
        task("F2", TaskState.READY, reason=hold.reason),
    )
    assert lines[0] == f"Shop: running (pid {os.getpid()}), paused: nothing new begins"
    assert lines[1:5] == [
        "warning disk full",
        "? to approve F1 Ship: waits for approval. `nova approve F1`",
        "⊘ on hold x is not logged in, or its key was rejected: 401; 1 task waits: F2. Log in.",
        "$ used up the run's budget of $5.00 is used up: $5.12 spent",
    ]


def test_a_stopped_task_needs_somebody_and_is_named_once(tmp_path: Path) -> None:
    """Its reason says what to do; a plan without a title is called by its file."""
    reason = "stopped; `nova retry F2` lets it run again"
    lines = status(
        tmp_path, ourselves(project=""), task("F2", TaskState.WAITING, name="Sell", is_stopped=True, reason=reason)
    )
    assert lines[:2] == [f"CASCADE.md: running (pid {os.getpid()})", f"⊘ on hold F2 Sell: {reason}"]


def test_failures_of_a_long_plan_come_first(tmp_path: Path) -> None:
    """Where the table is longer than a screen, what failed stands above it, with the reason."""
    tasks = [task(f"T{number}", TaskState.WAITING) for number in range(30)]
    tasks[25] = task("T25", TaskState.FAILED, name="Store")
    lines = status(tmp_path, run_view(end=RunEnd.FAILED), *tasks)
    assert lines[1] == "✗ failed T25 Store: exit code 3"
    assert len(lines) == 1 + 1 + 1 + 30 + 1


def test_no_escape_reaches_the_terminal(tmp_path: Path) -> None:
    """Text of plans and agents is shown without its control characters, wherever it stands."""
    evil = "\x1b[2J\x1b]0;owned\x07\r\nx"
    run = run_view(project=evil, warnings=(evil,))
    view = task("F1", TaskState.FAILED, error=evil, branch=evil, group=evil, log_error=evil)
    write_state(tmp_path, run, by_id(view))
    done = nova("status", cwd=tmp_path)
    assert not {"\x1b", "\x07", "\r"} & set(done.stdout)
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.skipif(not HAS_SETSID, reason="setsid(1) is not there")
def test_it_fits_the_terminal(tmp_path: Path) -> None:
    """On a terminal a long reason is folded, not cut, and the numbers stay beside it."""
    error = "日本語 " * 10 + "and the end"
    write_state(tmp_path, run_view(end=RunEnd.FAILED), by_id(task("F1", TaskState.FAILED, error=error)))
    with in_a_terminal("status", cwd=tmp_path, columns=60) as (process, terminal):
        shown = read_to_the_end(terminal).decode()
    assert process.returncode == 1
    lines = shown.splitlines()
    assert all(len(line) + sum(char in "日本語" for char in line) <= 60 for line in lines[:-1])
    assert [shown.count(char) for char in "日本語"] == [10, 10, 10]
    assert "$0.50" in next(line for line in lines if "F1" in line)


def test_a_long_name_fits_the_terminal(tmp_path: Path) -> None:
    """It is folded as a reason is, so that state and cost stay beside it."""
    name = "word " * 25 + "end"
    write_state(tmp_path, run_view(end=RunEnd.COMPLETED), by_id(task("F1", TaskState.COMPLETED, name=name)))
    with in_a_terminal("status", cwd=tmp_path, columns=80) as (_, terminal):
        lines = read_to_the_end(terminal).decode().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "$0.50" in next(line for line in lines if "F1" in line)
    assert "".join(lines).count("word") == 25


def test_the_json_document(tmp_path: Path) -> None:
    """--json is the document of the state file with what is shown of it: numbers exact, times in UTC, a schema."""
    started = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    done = task("F2", TaskState.COMPLETED, cost_usd=0.25, denied=("Bash",))
    write_state(tmp_path, ourselves(started_at=started), by_id(task("F1", TaskState.COMPLETED), done))
    found = nova("status", "--json", "--state", str(tmp_path / "cascade_state.json"), cwd=Path("/"))
    assert found.returncode == 0
    answer = json.loads(found.stdout)
    assert (answer["schema"], answer["condition"], answer["is_alive"]) == (1, "running", True)
    assert (answer["nova"]["run_id"], answer["nova"]["end"]) == ("r1", None)
    assert answer["project"]["started_at"] == "2030-01-02T03:04:05.000+00:00"
    total = answer["board"]["total"]
    assert (total["cost_usd"], total["duration_seconds"]) == (0.75, 25.5)
    assert total["token_usage"]["cache_creation_tokens"] == 2000
    assert answer["groups"][0]["group"] == "Base"
    assert answer["board"]["needs"][0]["why"] == "denied"
    written = json.loads((tmp_path / "cascade_state.json").read_text())
    assert {part: answer[part] for part in written} == written


def test_all_that_the_table_shows_is_in_the_json_document(tmp_path: Path) -> None:
    """Signs, words, activities, tokens and costs, what needs somebody and why: no program has to work them out."""
    failed = task("F1", TaskState.FAILED)
    busy = task("F2", TaskState.IN_PROGRESS, activity="Bash: pytest")
    write_state(tmp_path, ourselves(), by_id(failed, busy, task("F3", TaskState.BLOCKED, blocked_by=("F1",))))
    document = json.loads(nova("status", "--json", cwd=tmp_path).stdout)
    lines = nova("status", cwd=tmp_path).stdout.splitlines()
    for task_id, look in document["looks"].items():
        [line] = [line for line in lines if line.startswith(task_id)]
        assert all(look[fact] in line for fact in ("sign", "word", "doing", "tokens", "cost"))
    assert lines[0] == f"Shop: {document['board']['alive']}"
    assert lines[-1].partition(" of work")[0][:30] == document["board"]["sentence"][:30]
    assert document["board"]["needs"][0]["blocks"] == ["F3"]


def test_no_run_here(tmp_path: Path) -> None:
    """Without a state file, or with something else of that name, the exit code is 2."""
    done = nova("status", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nova: no run here: cascade_state.json does not exist; start one with `nova run`\n"
    (tmp_path / "cascade_state.json").write_text("[]")
    done = nova("status", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cascade_state.json is not a state file" in done.stderr


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"F1": None},
        {"F1": {"status": "dancing", "duration_seconds": "long", "started_at": 3, "token_usage": [], "nova": 1}},
        {"F1": {"status": "in_progress", "started_at": "2026-01-01T00:00:00", "nova": {"cost_usd": "x"}}},
        {"F1": {"nova": {"attempt": -1, "blocked_by": "F2", "branch": 7}, "current_step": ["[red]"]}},
        {"F1": {"status": "completed", "token_usage": {"input_tokens": 10**400}, "nova": {"cost_usd": 1e999}}},
    ],
)
def test_a_strange_state_file_does_no_harm(tmp_path: Path, strange: Mapping[str, Any]) -> None:
    """What another program wrote there is shown as far as it makes sense."""
    document = {"project": {"name": "Shop"}, "tasks": strange, "nova": {"supervisor": {"pid": "x"}}}
    (tmp_path / "cascade_state.json").write_text(json.dumps(document))
    for words in (["status"], ["status", "--json"]):
        done = nova(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(task_id in done.stdout for task_id in strange)


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """A log folder with an odd byte in its name is shown with that byte spelled out."""
    odd = os.fsdecode(b"lo\xff/F1.log")
    write_state(tmp_path, ourselves(warnings=(f"{odd}: full",)), by_id(task("F1", TaskState.COMPLETED, log_error=odd)))
    done = nova("status", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("lo\\xff/F1.log") == 2


@pytest.mark.parametrize("is_over", [False, True])
def test_a_usage_limit_that_is_waited_for_is_one_line(is_over: bool) -> None:
    """It says how many tasks wait, for what and until when; once nothing runs any more, nobody waits."""
    reason, moment = "waits for the usage limit of claude", datetime(2100, 1, 1, tzinfo=UTC)
    waiting = [TaskView(id=name, name="", state=TaskState.WAITING, reason=reason, retry_at=moment) for name in "AB"]
    tasks = {task.id: task for task in [*waiting, TaskView(id="C", name="", state=TaskState.WAITING)]}
    condition = Condition.STOPPED if is_over else Condition.RUNNING
    board = Board(run_view(), tasks, datetime.now(UTC), condition)
    found = ["".join(each if isinstance(each, str) else each.text for each in line) for line in limits(board)]
    assert len(found) == (not is_over)
    for line in found:
        assert line.startswith("limit 2 tasks: waits for the usage limit of claude until ")


@pytest.mark.parametrize("is_over", [False, True])
def test_a_limit_that_is_near_is_one_line(is_over: bool) -> None:
    """From 80 % on, or where it slows starts down, until it resets; nothing starts of a run that is over."""
    later, earlier = datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
    gauge = GaugeView(agent="claude", kind="five_hour", used=0.5, resets_at=later)
    run = run_view(gauges=(
        gauge, replace(gauge, used=0.9, resets_at=earlier), replace(gauge, kind="seven_day", used=0.8, resets_at=None),
        replace(gauge, next_start_at=later),
    ))  # fmt: skip
    board = Board(run, {}, datetime.now(UTC), Condition.STOPPED if is_over else Condition.RUNNING)
    weekly, slow = ["".join(each if isinstance(each, str) else each.text for each in line) for line in gauges(board)]
    assert weekly == "limit claude: 80 % of its weekly limit used"
    assert slow.startswith("limit claude: 50 % of its 5-hour limit used, resets 2")
    assert slow.endswith("(pace)") is not is_over
