"""Whole runs with real processes: order, limits, retries, verification, failures, stopping."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from nova_async.cascade import Cascade, Task, parse_cascade
from nova_async.errors import RunLockedError
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.records import Event
from nova_async.views import RunReport, TaskView

FRONT = "+++\nbackoff = '0.01s..0.02s'\ncommand = ['sh', '-c', '{prompt}']\n"


def plan(rows: str, front: str = "") -> Cascade:
    """Make a cascade whose prompts are shell scripts: rows of ``id | script | deps | options …``."""
    header, *lines = [line.strip() for line in rows.strip().splitlines()]
    table = "\n".join(f"| {line} |" for line in lines)
    return parse_cascade(f"{FRONT}{front}\n+++\n# Test\n\n| {header} |\n{'|---' * (header.count('|') + 1)}|\n{table}\n")


def orchestrator(cascade: Cascade, folder: Path, **options: Any) -> Orchestrator:
    """Make an orchestrator that keeps everything in one folder."""
    return Orchestrator(
        cascade, root=folder, log_dir=folder / "logs", state_file=folder / "state.json",
        journal=folder / ".nova/journal.db", **options,
    )  # fmt: skip


async def run(cascade: Cascade, folder: Path, **options: Any) -> tuple[RunReport, list[Event]]:
    """Run a cascade to its end and return the report and what happened."""
    runner = orchestrator(cascade, folder, **options)
    events = runner.events()

    async def collect() -> list[Event]:
        return [event async for event in events]

    collecting = asyncio.create_task(collect())
    report = await runner.run()
    return report, await collecting


def states(report: RunReport) -> dict[str, str]:
    """Return where each task ended."""
    return {task.id: task.state for task in report.tasks.values()}


async def test_a_diamond_in_order(tmp_path: Path) -> None:
    """Each task runs after what it depends on; all completes; state file and journal say so."""
    cascade = plan("""ID | What | Deps
        A1 | echo A1 >> order | -
        B1 | echo B1 >> order | A1
        B2 | echo B2 >> order | A1
        C1 | echo C1 >> order | B1, B2""")
    report, events = await run(cascade, tmp_path)
    order = (tmp_path / "order").read_text().split()
    assert (order[0], set(order[1:3]), order[3]) == ("A1", {"B1", "B2"}, "C1")
    assert report.ok
    assert report.exit_code == 0
    kinds = [event.kind for event in events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_ended"
    assert kinds.count("task_completed") == 4
    state = json.loads((tmp_path / "state.json").read_text())
    assert {task["status"] for task in state["tasks"].values()} == {"completed"}
    assert state["project"]["completed_at"]
    assert state["tasks"]["C1"]["nova"]["depends_on"] == ["B1", "B2"]
    with sqlite3.connect(tmp_path / ".nova/journal.db") as book:
        assert book.execute("select count(*) from attempts").fetchone() == (4,)
    book.close()


async def test_never_over_the_limit(tmp_path: Path) -> None:
    """At no moment do more tasks run than may."""
    # The first three wait for one another, however slowly they start.
    all_here = "[ -e seen/T0 -a -e seen/T1 -a -e seen/T2 ]"
    met = f"mkdir here/$NOVA_TASK_ID seen/$NOVA_TASK_ID; until {all_here}; do sleep 0.01; done"
    script = f"{met}; ls here | wc -l >> counts; sleep 0.05; rmdir here/$NOVA_TASK_ID"
    (tmp_path / "here").mkdir()
    (tmp_path / "seen").mkdir()
    rows = "\n".join(f"T{number} | {script}" for number in range(12)).replace("ls here |", "ls here \\|")
    cascade = plan(f"ID | What\n{rows}")
    report, _ = await run(cascade, tmp_path, max_workers=3)
    assert report.ok
    assert max(map(int, (tmp_path / "counts").read_text().split())) == 3


async def test_a_failure_is_retried_where_that_can_help(tmp_path: Path) -> None:
    """An attempt that a signal ended is tried again and completes; each attempt has its log."""
    cascade = plan("""ID | What | Retries
        A1 | echo try $NOVA_ATTEMPT; [ $NOVA_ATTEMPT = 3 ] \\|\\| kill -9 $$ | 2""")
    report, events = await run(cascade, tmp_path)
    assert states(report) == {"A1": "completed"}
    assert [event.data["outcome"] for event in events if event.kind == "attempt_ended"] == ["signal", "signal", "ok"]
    logs = {path.name: path.read_text() for path in (tmp_path / "logs").glob("*.log")}
    assert logs == {"A1~1.log": "try 1\n", "A1~2.log": "try 2\n", "A1.log": "try 3\n"}
    attempts = json.loads((tmp_path / "state.json").read_text())["tasks"]["A1"]["nova"]["attempts"]
    assert [Path(attempt["log"]).name for attempt in attempts] == ["A1~1.log", "A1~2.log", "A1.log"]
    assert [Path(attempt.end.log.path).name for attempt in report.tasks["A1"].attempts if attempt.end.log] == [
        "A1~1.log", "A1~2.log", "A1.log",
    ]  # fmt: skip


async def test_a_plain_failure_is_not_retried_and_blocks(tmp_path: Path) -> None:
    """A non-zero exit is final; dependants stay pending and say why; the rest goes on."""
    cascade = plan("""ID | What | Deps | Retries
        A1 | echo no; exit 3 | - | 5
        B1 | echo never > never | A1 | -
        C1 | echo yes | - | -""")
    report, _ = await run(cascade, tmp_path)
    assert states(report) == {"A1": "failed", "B1": "blocked", "C1": "completed"}
    assert report.exit_code == 1
    assert report.tasks["A1"].error == "exit code 3"
    assert report.tasks["B1"].blocked_by == ("A1",)
    assert not (tmp_path / "never").exists()
    state = json.loads((tmp_path / "state.json").read_text())["tasks"]
    assert (state["A1"]["status"], state["A1"]["error"]) == ("failed", "exit code 3")
    assert (state["B1"]["status"], state["B1"]["current_step"]) == ("pending", "blocked by A1")


async def test_verification_is_a_gate(tmp_path: Path) -> None:
    """A task has completed only when its verify command agrees; it runs where the task ran."""
    (tmp_path / "sub").mkdir()
    cascade = plan("""ID | What | Verify | Cwd
        A1 | echo done > made | test -e made | sub
        B1 | true | sh -c "echo broken; exit 1" | .""")
    report, events = await run(cascade, tmp_path)
    assert states(report) == {"A1": "completed", "B1": "failed"}
    assert report.tasks["B1"].outcome == "verify"
    assert "verify failed: exit code 1 from `sh -c 'echo broken; exit 1'`; see" in (report.tasks["B1"].error or "")
    assert (tmp_path / "logs/B1~verify.log").read_text() == "broken\n"
    assert [event.kind for event in events if event.task_id == "B1"] == [
        "attempt_started",
        "phase_started",
        "attempt_ended",
        "task_failed",
    ]


async def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    """A command that is made when its time comes, and whose program is missing, says so; nothing has failed."""
    report, _ = await run(plan("ID | What\nA1 | x"), tmp_path, command_for=lambda task: ["no-such-agent"])
    assert report.tasks["A1"].outcome == "spawn_error"
    assert report.tasks["A1"].error == "`no-such-agent` is not on PATH"
    assert states(report) == {"A1": "waiting"}


async def test_on_failure_stop(tmp_path: Path) -> None:
    """A task that stops everything does: what runs is ended and waits for the next run."""
    cascade = plan("""ID | What | On Failure
        A1 | while [ ! -e begun ]; do sleep 0.01; done; exit 1 | stop
        B1 | touch begun; sleep 60 | -
        C1 | true | -""")
    report, _ = await run(cascade, tmp_path, max_workers=2)
    assert states(report) == {"A1": "failed", "B1": "waiting", "C1": "ready"}


async def test_what_is_being_stopped_says_so(tmp_path: Path) -> None:
    """From the moment it was asked to end, whoever asked: a failure elsewhere, or somebody."""
    cascade = plan("""ID | What | On Failure
        A1 | while [ ! -e begun ]; do sleep 0.01; done; exit 1 | stop
        B1 | trap 'touch asked; while [ ! -e go ]; do sleep 0.01; done; exit 0' TERM; touch begun; while :; do sleep 0.01; done | -""")  # noqa: E501 - a row of a table
    runner = orchestrator(cascade, tmp_path, max_workers=2)
    running = asyncio.create_task(runner.run())
    while not (tmp_path / "asked").exists():
        await asyncio.sleep(0.01)
    assert runner.views["B1"].is_stopping
    (tmp_path / "go").touch()
    await running
    assert not runner.views["B1"].is_stopping


async def test_on_failure_drain(tmp_path: Path) -> None:
    """A task that drains lets the others end, and nothing new begin."""
    cascade = plan("""ID | What | On Failure
        A1 | while [ ! -e begun ]; do sleep 0.01; done; exit 1 | drain
        B1 | touch begun; while [ ! -e told ]; do sleep 0.01; done | -
        C1 | true | -""")
    runner = orchestrator(cascade, tmp_path, max_workers=2)
    events = runner.events()
    running = asyncio.create_task(runner.run())
    async for event in events:
        if event.kind == "task_failed":
            (tmp_path / "told").touch()
    assert states(await running) == {"A1": "failed", "B1": "completed", "C1": "ready"}


async def test_cancelling_a_run_stops_it_gracefully(tmp_path: Path) -> None:
    """A cancelled run ends its workers, saves its state, and then is cancelled; the next one completes the rest."""
    cascade = plan("""ID | What | Deps
        A1 | true | -
        B1 | [ -e go ] \\|\\| { touch begun; sleep 60; } | A1""")
    runner = orchestrator(cascade, tmp_path)
    running = asyncio.create_task(runner.run())
    while not (tmp_path / "begun").exists():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    state = json.loads((tmp_path / "state.json").read_text())["tasks"]
    assert {name: task["status"] for name, task in state.items()} == {"A1": "completed", "B1": "pending"}
    (tmp_path / "go").touch()
    report, events = await run(cascade, tmp_path)
    assert report.ok
    assert [event.task_id for event in events if event.kind == "attempt_started"] == ["B1"]


async def test_an_anyio_scope_that_is_cancelled_stops_a_run_gracefully(tmp_path: Path) -> None:
    """The scope repeats its cancellation at every await; to the run it is one, and agents may tidy up."""
    cascade = plan("""ID | What | Deps
        A1 | trap 'touch tidied; exit 1' TERM; touch begun; sleep 60 & wait | -""")
    runner = orchestrator(cascade, tmp_path)
    executor, closed = runner.executor, []

    class SlowlyClosed:
        def __getattr__(self, name: str) -> object:
            return getattr(executor, name)

        async def close(self) -> None:
            await asyncio.sleep(0.01)
            await executor.close()
            closed.append(self)

    runner.executor = SlowlyClosed()  # type: ignore[assignment]
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(runner.run)
            while not (tmp_path / "begun").exists():
                await asyncio.sleep(0.01)
            scope.cancel()
    assert (tmp_path / "tidied").exists()
    assert len(closed) == 1
    state = json.loads((tmp_path / "state.json").read_text())["tasks"]
    assert state["A1"]["status"] == "pending"


def test_the_end_of_asyncio_run_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """Also when every task of the loop is cancelled at once, nobody is left and the journal is whole."""
    cascade = plan("ID | What\nA1 | touch begun; trap '' TERM; while :; do sleep 1; done\nB1 | sleep 60")

    async def main() -> None:
        asyncio.get_running_loop().create_task(orchestrator(cascade, tmp_path).run())
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)

    asyncio.run(main())
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    outcomes = book.execute("select outcome from attempts").fetchall()
    book.close()
    assert {outcome for (outcome,) in outcomes} <= {"cancelled", None}


async def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second run in the same place says who is there, and harms nothing."""
    cascade = plan("ID | What\nA1 | touch begun; while [ ! -e go ]; do sleep 0.01; done")
    first = asyncio.create_task(orchestrator(cascade, tmp_path).run())
    while not (tmp_path / "begun").exists():
        await asyncio.sleep(0.01)
    with pytest.raises(RunLockedError, match="another nova run"):
        await orchestrator(cascade, tmp_path).run()
    (tmp_path / "go").touch()
    assert (await first).ok


async def test_failed_tasks_wait_to_be_asked_for(tmp_path: Path) -> None:
    """What has failed stays failed in the next run, until it is told to try again."""
    cascade = plan("ID | What | Deps\nA1 | test -e mended | -\nB1 | true | A1")
    assert states((await run(cascade, tmp_path))[0]) == {"A1": "failed", "B1": "blocked"}
    (tmp_path / "mended").touch()
    again, events = await run(cascade, tmp_path)
    assert states(again) == {"A1": "failed", "B1": "blocked"}
    assert not [event for event in events if event.kind == "attempt_started"]
    assert (await run(cascade, tmp_path, retry_failed=True))[0].ok


async def test_a_plan_that_was_edited_between_runs(tmp_path: Path) -> None:
    """A new task runs, a vanished one is kept aside, a changed or renamed-in-place one that has completed stays so."""
    await run(plan("ID | What\nA1 | true\nB1 | true\nC1 | true"), tmp_path)
    report, events = await run(plan("ID | What\nA1 | echo changed\nC1 | true\nD1 | true"), tmp_path)
    assert states(report) == {"A1": "completed", "C1": "completed", "D1": "completed"}
    assert [event.task_id for event in events if event.kind == "attempt_started"] == ["D1"]
    assert list(json.loads((tmp_path / "state.json").read_text())["nova"]["removed"]) == ["B1"]


async def test_a_fresh_run_begins_anew(tmp_path: Path) -> None:
    """fresh=True forgets what was, and numbers attempts on."""
    cascade = plan("ID | What\nA1 | true")
    await run(cascade, tmp_path)
    report, events = await run(cascade, tmp_path, fresh=True)
    assert report.tasks["A1"].attempt == 2
    assert [event.kind for event in events].count("attempt_started") == 1


async def test_milestones_fire_once(tmp_path: Path) -> None:
    """A milestone is an event of one run, and stays reached in the next."""
    front = """
        [[milestone]]
        id = "half"
        message = "Half way"
        percent = 50
        [[milestone]]
        id = "bad"
        message = "Oh"
        on = "first_failure"
    """
    cascade = plan("ID | What | Deps\nA1 | true | -\nB1 | test -e mended | A1", front)
    report, events = await run(cascade, tmp_path)
    assert [event.data["message"] for event in events if event.kind == "milestone"] == ["Half way", "Oh"]
    assert report.milestones == {"half": "Half way", "bad": "Oh"}
    (tmp_path / "mended").touch()
    _, events = await run(cascade, tmp_path, retry_failed=True)
    assert not [event for event in events if event.kind == "milestone"]
    reached = json.loads((tmp_path / "state.json").read_text())["nova"]["milestones"]
    assert set(reached) == {"half", "bad"}


async def test_tokens_and_cost_are_summed_over_attempts(tmp_path: Path) -> None:
    """Every attempt's tokens count, also those of attempts that failed."""
    line = "Token usage: input=1, output=2, cache_read=3, cache_creation=4"
    cascade = plan(f"ID | What | Retries\nA1 | echo '{line}'; [ $NOVA_ATTEMPT = 2 ] \\|\\| kill -9 $$ | 1")
    report, _ = await run(cascade, tmp_path)
    assert report.usage.as_dict() == {
        "input_tokens": 2, "output_tokens": 4, "cache_read_tokens": 6, "cache_creation_tokens": 8,
    }  # fmt: skip
    assert json.loads((tmp_path / "state.json").read_text())["tasks"]["A1"]["token_usage"]["output_tokens"] == 4


def test_what_git_says(tmp_path: Path) -> None:
    """In a checkout the state file names the commit and the files that the task changed, committed or not."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("logs/\n.nova/\nstate.json\n")
    (tmp_path / "before.txt").write_text("dirty before, and untouched")
    commit = "git -c user.name=t -c user.email=t@t commit -qm x"
    cascade = plan(f"ID | What\nA1 | echo 1 > one; git add one; {commit}; echo 2 > two")
    report, _ = asyncio.run(run(cascade, tmp_path))
    assert report.ok
    task = json.loads((tmp_path / "state.json").read_text())["tasks"]["A1"]
    head = subprocess.check_output(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], text=True).strip()
    assert task["commit_sha"] == head
    assert task["files_changed"] == ["one", "two"]


async def test_a_command_of_ones_own(tmp_path: Path) -> None:
    """command_for makes each task's command line."""
    cascade = Cascade.of([Task(id="A1", description="hi")])
    report, _ = await run(cascade, tmp_path, command_for=lambda task: [sys.executable, "-c", f"print('{task.id}')"])
    assert report.ok
    assert (tmp_path / "logs/A1.log").read_text() == "A1\n"


async def test_an_agent_for_all_tasks(tmp_path: Path) -> None:
    """agent= stands above what the plan says, for all its tasks."""
    cascade = parse_cascade("| ID | What | Agent |\n|---|---|---|\n| A1 | x | |\n| B1 | y | gemini |\n")
    runner = orchestrator(cascade, tmp_path, agent="codex", command_for=lambda task: ["echo", task.options.agent])
    await runner.run()
    said = {name: (tmp_path / f"logs/{name}.log").read_text() for name in ("A1", "B1")}
    assert said == {"A1": "codex\n", "B1": "codex\n"}


async def test_a_stop_during_a_pause(tmp_path: Path) -> None:
    """A run that is stopped while a task waits for its next attempt says so in its state file."""
    cascade = parse_cascade(
        "+++\nbackoff = '1h..2h'\ncommand = ['sh', '-c', 'kill -9 $$']\n+++\n| ID | What |\n|---|---|\n| A1 | x |\n"
    )
    runner = orchestrator(cascade, tmp_path)
    events = runner.events()
    running = asyncio.create_task(runner.run())
    async for event in events:
        if event.kind == "task_retrying":
            runner.stop()
    await running
    task = json.loads((tmp_path / "state.json").read_text())["tasks"]["A1"]
    assert (task["status"], task["current_step"]) == ("pending", None)


async def test_the_summary_of_the_documented_kind(tmp_path: Path) -> None:
    """get_status_summary() has the documented counts."""
    runner = orchestrator(plan("ID | What | Deps\nA1 | exit 1 | -\nB1 | true | A1\nC1 | true | -"), tmp_path)
    assert runner.get_status_summary()["pending"] == 3
    await runner.run()
    assert runner.get_status_summary() == {
        "total_tasks": 3, "completed": 1, "failed": 1, "in_progress": 0, "pending": 1, "active_workers": 0,
    }  # fmt: skip
    with pytest.raises(RuntimeError, match="runs once"):
        await runner.run()


async def test_a_look_costs_what_has_changed(tmp_path: Path) -> None:
    """Whoever looks at all tasks again and again has only those made anew that run, or that he was told of."""
    rows = "\n".join(f"T{number} | true | {f'T{number - 9}' if number > 9 else '-'}" for number in range(60))
    told: set[str] = set()
    looks: list[dict[str, TaskView]] = []
    untold: list[set[str]] = []

    def look(task_id: str | None) -> None:
        told.update(() if task_id is None else (task_id,))
        views = dict(runner.views)
        if looks:
            made = {task for task, view in views.items() if view is not looks[-1][task]}
            untold.append({task for task in made - told if views[task].state != "in_progress"})
        looks.append(views)
        told.clear()

    runner = orchestrator(plan(f"ID | What | Deps\n{rows}"), tmp_path, max_workers=4, on_change=look)
    assert (await runner.run()).ok
    assert len(looks) > 60
    assert [missed for missed in untold[:-1] if missed] == []  # at its end nothing waits any more: that tells of all
