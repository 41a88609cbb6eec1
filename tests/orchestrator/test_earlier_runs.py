"""What earlier runs have left, and what counts of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from nova_async.cascade import Task
from nova_async.control.looks import look_of, time_of
from nova_async.errors import RunLockedError
from nova_async.journal.history import History
from nova_async.journal.lock import RunLock
from nova_async.journal.reader import JournalReader
from nova_async.journal.store import Journal
from nova_async.orchestrator.event_stream import EventStream
from nova_async.orchestrator.known import TaskKnown
from nova_async.orchestrator.reporting import digest
from nova_async.orchestrator.resume import failed_tasks
from nova_async.orchestrator.retry_command import retry_tasks
from nova_async.words import EventKind, Outcome, RunEnd, TaskState
from tests.journal.making import event
from tests.journal.making import run as run_start
from tests.orchestrator.test_running import plan, run, states
from tests.views import attempt

USES = "echo Token usage: input=150, output=0, cache_read=0, cache_creation=0"


async def test_a_run_whose_supervisor_died_is_ended_as_lost(tmp_path: Path) -> None:
    """By the next one, whichever plan it was of."""
    journal = await Journal.open(tmp_path / ".nova/journal.db")
    await journal.begin_run(run_start("dead", pid=2**22 + 1))
    await journal.close()
    await run(plan("ID | What\n A1 | true"), tmp_path)
    ends = {found.start.run_id: found.end for found in JournalReader(tmp_path / ".nova/journal.db").runs()}
    assert ends.pop("dead") is RunEnd.LOST
    assert list(ends.values()) == [RunEnd.COMPLETED]


async def test_what_earlier_runs_have_used_is_in_the_budget(tmp_path: Path) -> None:
    """It is the plan's: once it is used up, a further run begins nothing."""
    await run(plan(f"ID | What\n A1 | {USES}"), tmp_path)
    rows = f"ID | What\n A1 | {USES}\n A2 | touch began"
    report, _ = await run(plan(rows, front="budget_tokens = 100\n"), tmp_path)
    assert states(report)["A1"] == "completed"
    assert not (tmp_path / "began").exists()
    report, _ = await run(plan(rows, front="budget_tokens = 1000\n"), tmp_path)
    assert report.ok


async def test_nothing_is_reset_under_a_run(tmp_path: Path) -> None:
    """Whoever wants a task tried again waits for the run that works with the journal."""
    await run(plan("ID | What\n A1 | false"), tmp_path)
    journal = tmp_path / ".nova/journal.db"
    with RunLock(journal), pytest.raises(RunLockedError):
        await retry_tasks(journal, ["A1"])
    await retry_tasks(journal, ["A1"])


def test_a_success_that_no_longer_counts_is_none() -> None:
    """A task that was completed, begun anew and has failed since is one to be tried again."""
    done, failed = attempt("A1", 1), attempt("A1", 2, Outcome.EXIT)
    assert failed_tasks(History(attempts={"A1": (done, failed)})) == []
    assert failed_tasks(History(attempts={"A1": (replace(done, counts=False), failed)})) == ["A1"]


def test_only_a_check_that_counts_is_left_to_be_made() -> None:
    """Of another prompt, or from before it was begun anew, the agent's success is of no use."""
    stopped = attempt("A1", 1, Outcome.CANCELLED)
    assert stopped.end is not None
    stopped = replace(stopped, finished=replace(stopped.end, outcome=Outcome.OK))
    task = Task(id="A1", description="do it")
    stopped = replace(stopped, start=replace(stopped.start, prompt_digest=digest(task)))
    assert TaskKnown(task, [stopped]).left_to_check() == stopped
    assert TaskKnown(replace(task, description="do something else"), [stopped]).left_to_check() is None
    assert TaskKnown(task, [replace(stopped, counts=False)]).left_to_check() is None


def test_a_task_that_is_begun_anew_has_not_begun() -> None:
    """After --fresh or a retry it has neither a number of an attempt nor a time, until its first attempt."""
    task = Task(id="F1", name="Do it")
    before = attempt(number=3, outcome=Outcome.EXIT)
    view = TaskKnown(task, [replace(before, counts=False)]).view(TaskState.WAITING)
    assert (view.attempt, time_of(view), len(view.attempts)) == (0, "", 1)
    assert look_of(view, is_over=True).word == "not started"
    view = TaskKnown(task, [before], [before]).view(TaskState.WAITING)
    assert (view.attempt, look_of(view, is_over=True).word) == (3, "stopped")


async def test_a_listener_misses_nothing_from_when_he_asked() -> None:
    """Also what happens before he has taken his first step."""
    stream = EventStream()
    following = stream.follow()
    stream.put(event(EventKind.WARNING))
    stream.close()
    assert [each.kind async for each in following] == [EventKind.WARNING]
