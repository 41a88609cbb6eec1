"""Runs in which something goes wrong that should not: each ends, says why, and loses no task."""

import asyncio
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nova_async import AsyncWorker
from nova_async.attempt.executor import Running
from nova_async.attempt.job import Job
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.cascade import Cascade, Task, parse_cascade
from nova_async.errors import RunLockedError
from nova_async.journal.lock import RunLock
from nova_async.orchestrator import known
from tests.orchestrator.test_running import orchestrator, plan, run, states

SECONDS = 20.0  # a run that hangs fails its test


def no_command(task: Task) -> Sequence[str]:
    """Make no command for A1."""
    return {"B1": ["true"]}[task.id]


@pytest.mark.parametrize(
    "command_for",
    [
        no_command,
        lambda task: "true" if task.id == "A1" else ["true"],
        lambda task: [] if task.id == "A1" else ["true"],
        lambda task: None if task.id == "A1" else ["true"],
    ],
    ids=["raises", "a text", "nothing", "None"],
)
async def test_no_command_for_a_task(tmp_path: Path, command_for: Callable[[Task], Any]) -> None:
    """A function that makes no proper command fails that task alone."""
    async with asyncio.timeout(SECONDS):
        report, _ = await run(plan("ID | What\nA1 | x\nB1 | x"), tmp_path, command_for=command_for)
    assert states(report) == {"A1": "failed", "B1": "completed"}
    assert report.tasks["A1"].outcome == "spawn_error"
    assert report.tasks["A1"].error


async def test_a_prompt_that_is_no_text(tmp_path: Path) -> None:
    """A description with half a character, as undecodable bytes become, runs like any other."""
    tasks = [Task(id="A1", name="A1", description="odd \udcff"), Task(id="B1", name="B1")]
    async with asyncio.timeout(SECONDS):
        report, _ = await run(Cascade.of(tasks), tmp_path, command_for=lambda task: ["true"])
    assert report.ok


async def test_what_nobody_foresaw_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of our own is raised at the end, instead of letting the run wait for ever."""

    def mistake(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(known.TaskKnown, "end", mistake)
    cascade = plan("ID | What\nA1 | true\nB1 | sleep 60")
    async with asyncio.timeout(SECONDS):
        with pytest.raises(ZeroDivisionError):
            await orchestrator(cascade, tmp_path).run()


@pytest.mark.parametrize("folder", ["a" * 300, "gone"])
async def test_a_folder_that_goes_away(tmp_path: Path, folder: str) -> None:
    """A task whose folder is not there when its time comes fails alone; the next run tries it again."""
    cascade = plan(f"ID | What | Cwd | Deps\nB1 | true | . | -\nA1 | true | {folder} | B1\nC1 | true | . | B1")
    async with asyncio.timeout(SECONDS):
        report, _ = await run(cascade, tmp_path, max_workers=1)
    assert states(report) == {"B1": "completed", "A1": "failed", "C1": "completed"}
    assert report.tasks["A1"].outcome == "spawn_error"
    assert folder in (report.tasks["A1"].error or "")


async def test_a_folder_that_is_called_like_the_logs(tmp_path: Path) -> None:
    """A missing folder is no trouble with the log, however it is called."""
    report, _ = await run(plan("ID | What | Cwd | Deps\nB1 | true | . | -\nA1 | true | logs-of-old | B1"), tmp_path)
    assert report.tasks["A1"].outcome == "spawn_error"


async def test_jobs_that_are_cancelled_before_their_first_step(tmp_path: Path) -> None:
    """A run whose jobs are cancelled before they could begin ends, and the next one does all of them."""
    cascade = plan("ID | What\nA1 | true\nB1 | true\nC1 | true")
    loop = asyncio.get_running_loop()

    def cancel_jobs() -> None:
        for task in asyncio.all_tasks():
            if "_run_attempt" in str(task.get_coro()):
                task.cancel()

    # A run tells that it has started right before it makes its first jobs, so this comes before their first step.
    runner = orchestrator(cascade, tmp_path, on_change=lambda task_id: loop.call_soon(cancel_jobs))
    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert "completed" not in states(report).values()
    report, _ = await run(cascade, tmp_path)
    assert report.ok


async def test_stopping_starts_nothing_more(tmp_path: Path) -> None:
    """A task that waits for its record when the run is stopped does not start any more."""
    started: list[Job] = []
    local = LocalExecutor(tmp_path / "logs")

    class Watching:
        capacity = 9
        reclaim, close = local.reclaim, local.close

        def submit(self, job: Job) -> Running:
            started.append(job)
            return local.submit(job)

    runner = orchestrator(plan("ID | What\nA1 | sleep 60"), tmp_path, executor=Watching())
    running = asyncio.create_task(runner.run())
    while not runner.get_status_summary()["in_progress"]:
        await asyncio.sleep(0)
    runner.stop()
    async with asyncio.timeout(SECONDS):
        report = await running
    assert (states(report), started) == ({"A1": "waiting"}, [])


async def test_followers_end_when_the_run_cannot_begin(tmp_path: Path) -> None:
    """Whoever follows the events of a run that is refused comes to their end."""
    runner = orchestrator(plan("ID | What\nA1 | true"), tmp_path)
    with RunLock(tmp_path / ".nova/journal.db"), pytest.raises(RunLockedError):
        await runner.run()
    async with asyncio.timeout(SECONDS):
        assert [event async for event in runner.events()] == []


async def test_a_run_that_this_process_left_open(tmp_path: Path) -> None:
    """An earlier run that a living process could not end costs none of its other workers their lives."""
    cascade = plan("ID | What\nA1 | true")
    await run(cascade, tmp_path)
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    with book:
        book.execute("update runs set ended_at = null")
    book.close()
    async with AsyncWorker("other", log_dir=tmp_path / "other") as other:
        await other.start(["sleep", "60"])
        report, _ = await run(cascade, tmp_path)
        assert report.ok
        assert other.is_alive()


async def test_the_state_file_of_a_run_that_is_stopped_while_it_begins(tmp_path: Path) -> None:
    """What earlier runs have completed is still completed there."""
    cascade = plan("ID | What\nA1 | true\nB1 | exit 1")
    await run(cascade, tmp_path)
    for steps in range(60):
        runner = orchestrator(cascade, tmp_path)
        running = asyncio.create_task(runner.run())
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        runner.stop()
        async with asyncio.timeout(SECONDS):
            await running
        state = (tmp_path / "state.json").read_text()
        assert '"A1":{"status":"completed"' in state, steps


async def test_a_milestone_that_cannot_be_written_down(tmp_path: Path) -> None:
    """It is said, and costs no task."""
    milestone = "[[milestone]]\nid = 'm'\nmessage = 'M'\ntasks = ['A1']"
    cascade = plan("ID | What | Deps\nA1 | true | -\nB1 | true | A1", milestone)
    await run(plan("ID | What\nZ1 | true"), tmp_path)
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    with book:
        book.execute("create trigger no before insert on milestones begin select raise(abort, 'no room'); end")
    book.close()
    async with asyncio.timeout(SECONDS):
        report, events = await run(cascade, tmp_path)
    assert report.ok
    assert any("no room" in warning for warning in report.warnings)
    assert [event.kind for event in events if event.kind in ("milestone", "warning")] == ["milestone", "warning"]


async def test_who_is_blocked_by_which_failure(tmp_path: Path) -> None:
    """Each failure names those tasks that it blocks itself, directly or through others."""
    cascade = plan("""ID | What | Deps
        A1 | exit 1 | -
        A2 | true | A1
        B1 | exit 1 | -
        B2 | true | B1
        C1 | true | A2, B2""")
    _, events = await run(cascade, tmp_path, max_workers=1)
    told = {event.task_id: event.data["blocks"] for event in events if event.kind == "task_failed"}
    assert told == {"A1": ["A2", "C1"], "B1": ["B2", "C1"]}


async def test_a_fresh_run_has_its_whole_budget(tmp_path: Path) -> None:
    """What forgotten attempts have used is not taken off a task's budget."""
    script = "echo Token usage: input=80, output=0, cache_read=0, cache_creation=0"
    cascade = plan(f"ID | What | Budget Tokens\nA1 | {script}; sleep 0.3 | 100")
    for _ in range(2):
        report, _ = await run(cascade, tmp_path, fresh=True)
        assert report.ok, report.tasks["A1"]


def test_a_folder_inside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder somewhere below the top of a checkout is in it all the same."""
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    asyncio.run(run(plan("ID | What\nA1 | echo new > made"), Path()))
    state = Path("state.json").read_text()
    assert '"sub/made"' in state


CAPPED_CLAUDE = """#!/bin/sh
while [ "$1" != --max-budget-usd ]; do shift; done
echo "$2" >> caps
echo '{"type":"system","subtype":"init","session_id":"s","model":"m"}'
printf '{"type":"result","subtype":"error_max_budget_usd","is_error":true,"num_turns":3,"session_id":"s",'
printf '"total_cost_usd":%s,"usage":{"input_tokens":1,"output_tokens":2}}\\n' "$2"
exit 1
"""


async def test_an_agent_that_ends_at_the_runs_cap_has_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent holds what is left of the run's budget; its task stays pending, and goes on with a larger one."""
    program = tmp_path / "bin/claude"
    program.parent.mkdir()
    program.write_text(CAPPED_CLAUDE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    table = "| ID | What |\n|---|---|\n| A1 | x |\n"
    for budget, left in (("0.50", "0.5"), ("2.00", "1.5")):
        report, _ = await run(parse_cascade(f"+++\nbudget_usd = {budget}\n+++\n{table}"), tmp_path)
        assert (tmp_path / "caps").read_text().split()[-1] == left
        task = report.tasks["A1"]
        assert (task.state, task.outcome) == ("waiting", "cancelled"), task.error
    assert report.cost_usd == 2.0


LEAVING_CLAUDE = """#!/bin/sh
echo '{"type":"system","subtype":"init","session_id":"s","model":"m"}'
case "$*" in *wait*) exec sleep 60;; esac
printf '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"session_id":"s","result":"done",'
echo '"total_cost_usd":0.6,"usage":{"input_tokens":1,"output_tokens":2}}'
sleep 0.5
"""


async def test_a_result_that_uses_the_runs_budget_up_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent that told it is left to exit, and is checked; those still at work are stopped, and say why."""
    program = tmp_path / "bin/claude"
    program.parent.mkdir()
    program.write_text(LEAVING_CLAUDE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    table = "| ID | What | Verify |\n|---|---|---|\n| A1 | answer | true |\n| A2 | wait | - |\n| A3 | wait | - |\n"
    async with asyncio.timeout(30):
        report, _ = await run(parse_cascade(f"+++\nbudget_usd = 0.5\nmax_workers = 2\n+++\n{table}"), tmp_path)
    assert {task.id: str(task.state) for task in report.tasks.values()} == {
        "A1": "completed", "A2": "waiting", "A3": "ready",
    }  # fmt: skip
    assert report.tasks["A2"].error == "stopped: the run's budget of $0.50 is used up"
    (budget,) = report.budgets
    assert (budget.cost_usd, budget.stopped, budget.waiting) == (0.6, ("A2",), ("A2", "A3"))
