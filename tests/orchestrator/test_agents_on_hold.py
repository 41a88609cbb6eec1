"""A fault of an account or of this machine is no task's failure: it stops one agent, and the next run goes on."""

import asyncio
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_async.cascade import Cascade, Task
from nova_async.cascade.options import TaskOptions
from nova_async.journal.reader import JournalReader
from nova_async.orchestrator.holding import login_of
from nova_async.records import Event
from nova_async.views import RunReport
from nova_async.words import EventKind, OnFailure, Outcome, RunEnd, TaskState
from tests.orchestrator.test_running import orchestrator, plan, run, states

DATA = Path(__file__).parents[1] / "data/claude"
ACCOUNT = Path(__file__).parents[1] / "programs/account.py"
SERVED, UNAUTHORISED = DATA / "tools.sj.stdout", DATA / "err401default.sj.stdout"
# The two lines of a recording that say it (the rest are its settings).
LIMIT = """
{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795622063,"rateLimitType":"seven_day_opus",\
"isUsingOverage":false},"uuid":"u1","session_id":"s1"}
{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"num_turns":1,"uuid":"u2",\
"result":"You've hit your session limit","session_id":"s1","usage":{"input_tokens":0,"output_tokens":0}}
""".lstrip()
EIGHT = [f"T{number}" for number in range(1, 9)]


def eight(**options: Any) -> Cascade:
    """Make a plan of eight tasks that need nothing of each other."""
    return Cascade.of(Task(id=name, name=name, options=TaskOptions(**options), written=options) for name in EIGHT)


def recorded(folder: Path, outcome: Outcome) -> Path:
    """Return what an agent prints whose account refuses it in this way."""
    if outcome is Outcome.AUTH:
        return UNAUTHORISED
    (folder / "limit").write_text(LIMIT)
    return folder / "limit"


async def run_refused(
    cascade: Cascade, folder: Path, outcome: Outcome = Outcome.AUTH, max_workers: int = 1, **options: Any
) -> tuple[RunReport, list[Event]]:
    """Run a plan by an agent that is refused until `mended` stands in the folder."""
    command = [sys.executable, str(ACCOUNT), str(folder), str(recorded(folder, outcome)), str(SERVED)]
    cascade = replace(cascade, settings=replace(cascade.settings, max_wait=0.0))  # for no limit to reset
    options = {"agent": "claude", "command_for": lambda task: command, **options}
    return await run(cascade, folder, max_workers=max_workers, **options)


def starts(folder: Path) -> list[str]:
    """Return the tasks whose agent was started, in order."""
    return (folder / "starts").read_text().split() if (folder / "starts").exists() else []


def warnings(events: list[Event]) -> list[str]:
    """Return what was warned of."""
    return [event.data["message"] for event in events if event.kind is EventKind.WARNING]


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.LIMIT])
@pytest.mark.parametrize("max_workers", [1, 3])
async def test_a_refused_account_is_asked_once(tmp_path: Path, outcome: Outcome, max_workers: int) -> None:
    """No more tasks start than ran already; all wait, with the reason and the cure, and none has failed."""
    report, events = await run_refused(eight(), tmp_path, outcome, max_workers)
    assert 1 <= len(starts(tmp_path)) <= max_workers
    assert set(states(report).values()) == {TaskState.WAITING}
    assert report.exit_code == 1
    (hold,) = report.holds
    assert (hold.agent, hold.outcome, hold.waiting) == ("claude", outcome, tuple(EIGHT))
    assert {task.reason for task in report.tasks.values()} == {hold.reason}
    (warning,) = warnings(events)
    assert hold.reason in warning
    assert hold.cure in warning
    assert "`nova run` again" in warning
    assert {event.task_id for event in events if event.kind is EventKind.TASK_HELD} == set(starts(tmp_path))
    assert not [event for event in events if event.kind in (EventKind.TASK_FAILED, EventKind.TASK_RETRYING)]
    met = report.tasks[starts(tmp_path)[0]]
    assert met.outcome is outcome


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.LIMIT])
async def test_the_next_run_goes_on_with_all_of_them(tmp_path: Path, outcome: Outcome) -> None:
    """Once it is mended, a plain run needs no word about what failed: nothing has; not even a retry was used up."""
    await run_refused(eight(retries=0), tmp_path, outcome)
    await run_refused(eight(retries=0), tmp_path, outcome)  # and it may be refused more than once
    (tmp_path / "mended").touch()
    report, events = await run_refused(eight(retries=0), tmp_path, outcome)
    assert (report.ok, report.holds, warnings(events)) == (True, (), [])
    assert starts(tmp_path) == ["T1", "T1", *EIGHT]
    assert report.tasks["T1"].attempt == 3
    assert report.tasks["T2"].attempt == 1


async def test_how_such_a_run_ended(tmp_path: Path) -> None:
    """It was stopped and has not failed; the state file says of each task what it waits for."""
    await run_refused(eight(), tmp_path)
    (found,) = JournalReader(tmp_path / ".nova/journal.db").runs()
    assert found.end is RunEnd.STOPPED
    state = json.loads((tmp_path / "state.json").read_text())
    assert {task["status"] for task in state["tasks"].values()} == {"pending"}
    assert {task["current_step"] for task in state["tasks"].values()} == {
        "claude is not logged in, or its key was rejected"
    }
    (hold,) = state["nova"]["holds"]
    assert (hold["agent"], hold["outcome"], hold["waiting"]) == ("claude", "auth", EIGHT)
    assert [task["nova"]["agent"] for task in state["tasks"].values()].count("claude") == len(starts(tmp_path))


async def test_tasks_of_other_agents_go_on(tmp_path: Path) -> None:
    """Only what the refused agent was to do waits, and what depends on it."""

    def command_for(task: Task) -> Sequence[str]:
        if task.id.startswith("B"):
            return ["true"]
        return [sys.executable, str(ACCOUNT), str(tmp_path), str(recorded(tmp_path, Outcome.LIMIT)), str(SERVED)]

    cascade = plan("""ID | What | Deps
        A1 | x | -
        A2 | x | -
        B1 | x | -
        B2 | x | A1
        B3 | x | B1""")
    # A limit is recognised where the agent is known: both kinds are said to be its.
    report, _ = await run_refused(cascade, tmp_path, Outcome.LIMIT, command_for=command_for)
    assert starts(tmp_path) == ["A1"]
    assert states(report) == {"A1": "waiting", "A2": "waiting", "B1": "completed", "B2": "waiting", "B3": "completed"}
    assert [hold.waiting for hold in report.holds] == [("A1", "A2", "B2")]


async def test_a_limit_may_be_that_of_one_model(tmp_path: Path) -> None:
    """The tasks of another model are tried, once."""
    cascade = plan("ID | What | Model\nA1 | x | opus\nA2 | x | opus\nB1 | x | sonnet\nB2 | x | sonnet")
    report, _ = await run_refused(cascade, tmp_path, Outcome.LIMIT)
    assert starts(tmp_path) == ["A1", "B1"]
    assert [(hold.model, hold.waiting) for hold in report.holds] == [("opus", ("A1", "A2")), ("sonnet", ("B1", "B2"))]


async def test_a_refusal_is_no_failure_to_anybody(tmp_path: Path) -> None:
    """Neither does it stop the run of a task that stops everything when it fails, nor reach a milestone."""
    front = "[[milestone]]\nid = 'trouble'\nmessage = 'Trouble.'\non = 'first_failure'"
    cascade = plan("ID | What | On Failure\nA1 | x | stop\nB1 | x | -", front)
    report, events = await run_refused(cascade, tmp_path)
    assert states(report) == {"A1": "waiting", "B1": "waiting"}
    assert not report.milestones
    assert not [event for event in events if event.kind is EventKind.STOPPING]


async def test_a_refusal_that_the_plan_wants_retried(tmp_path: Path) -> None:
    """One task tries again; once it is served, all that waited for it begin."""
    cascade = eight()
    settings = replace(cascade.settings, retry_on=("auth",), backoff=(0.01, 0.02))
    runner_events: list[Event] = []

    def mend(task_id: str | None) -> None:
        if "T1" in starts(tmp_path):
            (tmp_path / "mended").touch()

    report, runner_events = await run_refused(replace(cascade, settings=settings), tmp_path, on_change=mend)
    assert report.ok
    assert [event.task_id for event in runner_events if event.kind is EventKind.TASK_RETRYING] == ["T1"]
    assert starts(tmp_path) == ["T1", *EIGHT]
    assert report.holds == ()


async def test_a_check_that_failed_still_outvotes_a_tick(tmp_path: Path) -> None:
    """A refusal in between says nothing about the task: the tick was set before its check failed."""
    options: dict[str, Any] = {"retries": 0, "verify": ("false",)}
    task = Task(id="T1", name="T1", options=TaskOptions(**options), written=options)
    (tmp_path / "mended").touch()
    report, _ = await run_refused(Cascade.of([task]), tmp_path)
    assert report.tasks["T1"].outcome is Outcome.VERIFY
    (tmp_path / "mended").unlink()
    await run_refused(Cascade.of([task]), tmp_path, retry_failed=True)
    report, _ = await run_refused(Cascade.of([replace(task, done=True)]), tmp_path)
    assert states(report) == {"T1": "waiting"}
    assert starts(tmp_path) == ["T1", "T1", "T1"]


async def test_a_program_that_vanishes_under_the_run(tmp_path: Path) -> None:
    """The first start that it fails is the last; with the program back, the next run goes on."""
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\nrm -f agent\n")
    agent.chmod(0o755)
    shutil.copy(agent, tmp_path / "copy")
    cascade = plan("ID | What\n" + "\n".join(f"{name} | x" for name in EIGHT), "")
    cascade = replace(cascade, settings=replace(cascade.settings, command=("./agent",)))
    report, events = await run(cascade, tmp_path, max_workers=1)
    assert states(report) == {"T1": "completed"} | dict.fromkeys(EIGHT[1:], "waiting")
    assert [task.attempt for task in report.tasks.values()] == [1, 1, 0, 0, 0, 0, 0, 0]
    (hold,) = report.holds
    assert (hold.agent, hold.outcome, hold.error) == ("agent", Outcome.SPAWN_ERROR, "`./agent` does not exist")
    assert warnings(events) == [
        "agent cannot be started (`./agent` does not exist); its remaining tasks wait."
        " Fix that, then run `nova run` again"
    ]
    (tmp_path / "agent").write_text("#!/bin/sh\n")
    (tmp_path / "agent").chmod(0o755)
    report, _ = await run(cascade, tmp_path, max_workers=1)
    assert report.ok


@pytest.mark.parametrize(
    "command", [["./missing"], ["true", "\0"], ["true", "x" * 200_000], []], ids=["other", "NUL", "too long", "none"]
)
async def test_a_command_that_is_only_one_tasks_stops_no_other(tmp_path: Path, command: list[str]) -> None:
    """What is wrong with one task's own words or program is that task's trouble; the next run tries it again."""
    commands = {"T1": command}
    report, _ = await run(eight(), tmp_path, max_workers=1, command_for=lambda task: commands.get(task.id, ["true"]))
    assert [task.state for task in report.tasks.values()][1:] == ["completed"] * 7
    assert report.tasks["T1"].outcome is Outcome.SPAWN_ERROR
    commands.clear()
    report, _ = await run(eight(), tmp_path, max_workers=1, command_for=lambda task: commands.get(task.id, ["true"]))
    assert report.ok


async def test_a_stop_while_an_agent_is_on_hold(tmp_path: Path) -> None:
    """Neither a drain nor a stop waits for a retry that will not come, and what waited still waits."""
    cascade = eight(on_failure=OnFailure.DRAIN)
    settings = replace(cascade.settings, retry_on=("auth",), backoff=(600.0, 600.0))
    runner = orchestrator(
        replace(cascade, settings=settings), tmp_path, agent="claude", max_workers=1,
        command_for=lambda task: [sys.executable, str(ACCOUNT), str(tmp_path), str(UNAUTHORISED), str(SERVED)],
    )  # fmt: skip
    events = runner.events()
    running = asyncio.create_task(runner.run())
    async for event in events:
        if event.kind is EventKind.TASK_RETRYING:
            assert {view.state for task_id, view in runner.views.items() if task_id != "T1"} == {TaskState.WAITING}
            runner.stop()
    report = await running
    assert not report.ok
    assert starts(tmp_path) == ["T1"]


async def test_nobody_sees_a_task_begin_that_does_not(tmp_path: Path) -> None:
    """To whoever watches, a task on hold goes from ready to waiting."""
    seen: dict[str, set[TaskState]] = {}
    runner = orchestrator(
        eight(), tmp_path, agent="claude", max_workers=1, on_change=lambda task_id: look(),
        command_for=lambda task: [sys.executable, str(ACCOUNT), str(tmp_path), str(UNAUTHORISED), str(SERVED)],
    )  # fmt: skip

    def look() -> None:
        for task_id, view in runner.views.items():
            seen.setdefault(task_id, set()).add(view.state)

    await runner.run()
    assert seen["T5"] == {TaskState.READY, TaskState.WAITING}


ASK = "Write the store."


@pytest.mark.parametrize(
    ("command", "login"),
    [
        ("claude -p PROMPT", "claude"),
        ("/opt/claude -p PROMPT --model opus", "/opt/claude"),
        ("env HOME=/home/ann claude -p x", "env HOME=/home/ann claude"),
        ("npx @anthropic-ai/claude-code -p PROMPT", "npx @anthropic-ai/claude-code"),
        ("python agent.py PROMPT", "python agent.py"),
        ("python agent.py --prompt=PROMPT", "python agent.py"),
        ("python agent.py T1 PROMPT", "python agent.py"),
        ("python agent.py logs/T1", "python agent.py logs/T1"),
        ("sh -c PROMPT", "sh -c"),
    ],
)
def test_what_a_made_command_tells_of_its_login(command: str, login: str) -> None:
    """Of a known agent, all before its arguments; of any other program, all but what the task itself says."""
    words = tuple(word.replace("PROMPT", ASK) for word in command.split())
    assert login_of(words, Task(id="T1", description=ASK)) == tuple(login.split())


async def test_logins_of_one_agent_are_told_apart(tmp_path: Path) -> None:
    """Where a function makes the commands, an agent of another login is not held by the first one's refusal."""
    served = [sys.executable, str(ACCOUNT), str(tmp_path), str(UNAUTHORISED), str(SERVED)]

    def command_for(task: Task) -> list[str]:
        return ["env", f"WHO={task.options.model}", *served]

    cascade = plan("ID | What | Model\nA1 | x | ann\nA2 | x | ann\nB1 | x | bob\nB2 | x | bob")
    report, _ = await run_refused(cascade, tmp_path, command_for=command_for)
    assert starts(tmp_path) == ["A1", "B1"]
    assert [hold.waiting for hold in report.holds] == [("A1", "A2"), ("B1", "B2")]


async def test_what_was_denied_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    """A task that was allowed nothing has failed in its run alone; once it is allowed, a plain run completes it."""
    denied = DATA.parent / "verdicts/claude/newcomer-denied.stdout"
    folder, mended = tmp_path / "work", tmp_path / "mended"
    folder.mkdir()
    command = ["sh", "-c", f"if test -e {mended}; then cat {SERVED}; else cat {denied}; fi"]
    tasks = [Task(id="T1", name="T1"), Task(id="T2", name="T2", depends_on=("T1",))]
    options: dict[str, Any] = {"agent": "claude", "command_for": lambda task: command, "max_workers": 1}
    report, _ = await run(Cascade.of(tasks), folder, **options)
    assert (report.tasks["T1"].outcome, report.tasks["T2"].state) == (Outcome.DENIED, TaskState.BLOCKED)
    mended.touch()
    report, _ = await run(Cascade.of(tasks), folder, **options)
    assert (report.ok, report.tasks["T1"].attempt) == (True, 2)
