"""Stops and cancellations at awkward moments: nothing begins after one, and every run comes to its end."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nova_async.attempt.executor import Lost, Running
from nova_async.attempt.job import Job
from nova_async.orchestrator.orchestrator import Orchestrator
from nova_async.records import AttemptId
from nova_async.words import EventKind, Outcome, RunEnd, TaskState
from tests import leak_guard
from tests.orchestrator.test_running import orchestrator, plan, run, states
from tests.orchestrator.test_strange_executors import (
    Change,
    Strange,
    StrangeRunning,
    end_of,
    leave_an_attempt,
    raising,
)

SECONDS = 20.0  # a run that hangs fails its test


async def test_a_stop_as_soon_as_something_has_completed(tmp_path: Path) -> None:
    """Whoever stops the run when he hears of a completed task has stopped those that would begin next, too."""
    cascade = plan("ID | What | Deps\nA1 | true | -\nB1 | touch began; sleep 60 | A1")

    def look(task_id: str | None) -> None:
        if task_id == "A1" and runner.views["A1"].state is TaskState.COMPLETED and not stopped:
            stopped.append(task_id)
            runner.stop(grace=0)

    stopped: list[str] = []
    runner = orchestrator(cascade, tmp_path, on_change=look)
    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert states(report) == {"A1": TaskState.COMPLETED, "B1": TaskState.WAITING}
    assert not (tmp_path / "began").exists()


async def test_a_stop_that_is_asked_for_at_every_change_is_told_once(tmp_path: Path) -> None:
    """``stop`` may be called by whoever hears of a change, even of its own."""
    runner = orchestrator(plan("ID | What\nA1 | sleep 60"), tmp_path, on_change=lambda task_id: runner.stop(grace=0))
    told = runner.events()
    async with asyncio.timeout(SECONDS):
        await runner.run()
    assert [event.kind async for event in told].count(EventKind.STOPPING) == 1


async def test_a_run_that_is_stopped_before_it_begins(tmp_path: Path) -> None:
    """Nothing is begun then, not even on paper."""
    runner = orchestrator(plan("ID | What\nA1 | true\nB1 | true"), tmp_path)
    runner.stop()
    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert [view.attempt for view in report.tasks.values()] == [0, 0]
    assert runner.run_view.end is RunEnd.STOPPED


def test_a_stop_after_the_end(tmp_path: Path) -> None:
    """It does nothing, in no loop either, and is not told."""
    runner = orchestrator(plan("ID | What\nA1 | true"), tmp_path)

    async def whole() -> list[str]:
        told = runner.events()
        await runner.run()
        runner.stop()
        return [event.kind async for event in told]

    assert EventKind.STOPPING not in asyncio.run(whole())
    runner.stop()


class Adopted(StrangeRunning):
    """An attempt that went on without its run, and that ends when it is stopped."""

    def __init__(self, attempt: AttemptId) -> None:
        super().__init__(Job(id=attempt, command=("x",)), ended=self.end)
        self.stopped = asyncio.Event()

    def stop(self, grace: float) -> None:
        """Take note of the stop."""
        self.stopped.set()

    async def end(self, attempt: AttemptId) -> Any:
        """Wait for the stop."""
        await self.stopped.wait()
        return end_of(attempt, Outcome.CANCELLED)


async def with_adopted(folder: Path, front: str = "", **options: Any) -> Orchestrator:
    """Make an orchestrator whose executor still runs an attempt of an earlier run."""
    cascade = plan("ID | What\nBAD | true", front)
    await leave_an_attempt(folder, cascade, "BAD")

    def still_there(ids: Iterable[AttemptId]) -> Mapping[AttemptId, Running | Lost]:
        return {attempt: Adopted(attempt) for attempt in ids}

    change = Change(submit=raising(AssertionError("begun a second time")), reclaim=still_there)
    return orchestrator(cascade, folder, executor=Strange(folder, change), **options)


async def test_what_was_taken_over_hears_of_a_stop_that_came_before(tmp_path: Path) -> None:
    """A run that is stopped while it opens its journal stops also what it takes over from an earlier one."""
    runner = await with_adopted(tmp_path)
    runner.stop()
    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert states(report) == {"BAD": TaskState.WAITING}


async def test_all_tasks_cancelled_before_what_was_taken_over_is_followed(tmp_path: Path) -> None:
    """A loop that ends at that very moment ends: the attempt is left to the next run."""
    runner = await with_adopted(tmp_path, on_change=lambda task_id: loop.call_soon(cancel_adoption))
    loop = asyncio.get_running_loop()

    def cancel_adoption() -> None:
        for task in asyncio.all_tasks():
            if "_adopt" in str(task.get_coro()):
                task.cancel()

    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert states(report) == {"BAD": TaskState.WAITING}


@pytest.mark.parametrize("script", ["true", "sleep 60"])
def test_a_loop_that_ends_under_a_run(tmp_path: Path, script: str) -> None:
    """However far it has come, the loop's end ends it, and the next run completes what is left, each task once."""
    cascade = plan("ID | What\n" + "\n".join(f"T{n} | echo $NOVA_TASK_ID >> ran; [ -e go ] \\|\\| {script}"
                                             for n in range(4)))  # fmt: skip
    for steps in range(0, 60, 3):

        async def begin_and_leave(steps: int = steps) -> None:
            running = asyncio.create_task(orchestrator(cascade, tmp_path).run())
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            assert not running.done() or running.result()

        asyncio.run(asyncio.wait_for(begin_and_leave(), SECONDS))
    (tmp_path / "go").touch()
    report, _ = asyncio.run(run(cascade, tmp_path))
    assert report.ok


def test_a_loop_that_ends_before_the_first_step_of_any_of_our_tasks(tmp_path: Path) -> None:
    """What a run still has to close does not depend on a task that the end of its loop cancels before it begins."""
    created = done = 0

    async def end_the_loop_at(last: int) -> None:
        nonlocal created, done
        created, loop, ours = 0, asyncio.get_running_loop(), asyncio.current_task()

        def make(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
            nonlocal created
            created += 1
            if created == last:
                loop.call_soon(cancel_all)  # before the first step of this one
            return asyncio.Task(coro, loop=loop, **options)

        def cancel_all() -> None:
            for each in asyncio.all_tasks(loop) - {ours}:  # as `asyncio.run` does once its own coroutine is over
                each.cancel()

        loop.set_task_factory(make)
        folder = tmp_path / str(last)
        folder.mkdir()
        await asyncio.wait([asyncio.create_task(orchestrator(plan("ID | What\nA1 | true"), folder).run())])
        loop.set_task_factory(None)

    before = leak_guard.descriptors()
    while created >= done:
        done += 1
        asyncio.run(end_the_loop_at(done))
        left = {what for number, what in leak_guard.descriptors().items() if number not in before}
        assert not [what for what in left if "journal" in what or ".log" in what], f"the loop ended at task {done}"
    assert created > 10, "the run has been at work"


async def test_an_end_that_is_being_written_when_all_is_cancelled(tmp_path: Path) -> None:
    """A task whose end reaches the journal is shown as that end says."""
    cascade = plan("ID | What\nA1 | true")
    loop = asyncio.get_running_loop()

    def cancel_jobs() -> None:
        for task in asyncio.all_tasks():
            if "_run_attempt" in str(task.get_coro()):
                task.cancel()

    runner = orchestrator(cascade, tmp_path)
    write_end, cancelled = runner._records.write_end, list[asyncio.Handle]()

    async def cancelled_meanwhile(*about: Any) -> bool:
        if not cancelled:
            cancelled.append(loop.call_soon(cancel_jobs))
        return await write_end(*about)

    runner._records.write_end = cancelled_meanwhile  # type: ignore[method-assign]
    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert states(report) == {"A1": TaskState.COMPLETED}


async def test_a_cancellation_while_the_run_is_being_ended(tmp_path: Path) -> None:
    """The run is over on paper and for whoever listens, before the cancellation is delivered."""
    runner = orchestrator(plan("ID | What\nA1 | true"), tmp_path)
    end, cancelled = runner._records.end, list[asyncio.Handle]()

    async def cancelled_meanwhile(how: RunEnd) -> None:
        if not cancelled:
            cancelled.append(asyncio.get_running_loop().call_soon(running.cancel))
        await end(how)

    runner._records.end = cancelled_meanwhile  # type: ignore[method-assign]
    told = runner.events()
    async with asyncio.timeout(SECONDS):
        running = asyncio.create_task(runner.run())
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [event.kind async for event in told][-1] is EventKind.RUN_ENDED
    assert runner.run_view.end is RunEnd.COMPLETED


async def test_how_a_run_ends_that_its_own_plan_stops(tmp_path: Path) -> None:
    """A failure after which the plan wants everything stopped is a failure; a stop is what somebody asked for."""
    rows = "ID | What | On failure\nA1 | exit 1 | stop\nB1 | sleep 60 | -"
    runner = orchestrator(plan(rows), tmp_path)
    async with asyncio.timeout(SECONDS):
        report = await runner.run()
    assert states(report) == {"A1": TaskState.FAILED, "B1": TaskState.WAITING}
    assert runner.run_view.end is RunEnd.FAILED


async def test_views_are_of_their_moment(tmp_path: Path) -> None:
    """What was looked at stays as it was seen."""
    runner = orchestrator(plan("ID | What\nA1 | true"), tmp_path)
    before = runner.views
    await runner.run()
    assert (before["A1"].state, runner.views["A1"].state) == (TaskState.READY, TaskState.COMPLETED)


async def test_a_sum_that_misses_something_says_so(tmp_path: Path) -> None:
    """An agent that was killed before it told anything has used nobody knows what: neither nothing nor exactly that."""
    (tmp_path / "claude").write_text("#!/bin/sh\ntouch began\nexec sleep 60\n")
    (tmp_path / "claude").chmod(0o755)
    cascade = plan("ID | What\nA1 | x")
    runner = orchestrator(cascade, tmp_path, agent="claude", command_for=lambda task: [str(tmp_path / "claude")])
    told = runner.events()
    running = asyncio.create_task(runner.run())
    while not (tmp_path / "began").exists():
        await asyncio.sleep(0.01)
    runner.stop(grace=0)
    report = await running
    assert (report.usage_is_final, report.cost_usd, report.cost_is_complete) == (False, None, False)
    last = [event async for event in told][-1]
    assert (last.data["usage_is_final"], last.data["cost_is_complete"]) == (False, False)
