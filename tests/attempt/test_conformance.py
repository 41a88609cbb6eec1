"""What every executor must keep, whoever wrote it: the one of this machine, and one of a stranger."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nova_async.attempt.executor import Executor, Lost
from nova_async.attempt.local_attempt import LocalAttempt
from nova_async.attempt.local_executor import LocalExecutor
from nova_async.records import AttemptEnd, AttemptFacts, AttemptId
from nova_async.words import Outcome
from tests.attempt.conftest import MakeJob
from tests.children import is_alive

EXAMPLE = Path(__file__).parents[2] / "docs/examples/own_executor.py"


def stranger(folder: Path) -> Executor:
    """Make the executor of the documentation's example."""
    source = EXAMPLE.read_text().replace("asyncio.run(main())", "")
    names: dict[str, Any] = {"__name__": "own_executor"}
    exec(compile(source, str(EXAMPLE), "exec"), names)
    made: Executor = names["PrefixExecutor"]("env")
    return made


MAKERS: dict[str, Callable[[Path], Executor]] = {
    "local": lambda folder: LocalExecutor(folder / "logs"),
    "stranger": stranger,
}


@pytest.fixture(params=MAKERS)
async def executor(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Executor]:
    """Give an executor, and close it."""
    made = MAKERS[request.param](tmp_path)
    yield made
    await made.close()


async def until(path: Path) -> str:
    """Wait for a file that a child writes, and return what is in it."""
    while not path.exists() or not path.read_text().endswith("\n"):
        await asyncio.sleep(0.01)
    return path.read_text()


async def test_an_attempt_ends_as_its_command_does(executor: Executor, job: MakeJob) -> None:
    """Its end carries its own id, and tells success from failure."""
    for number, (script, outcome) in enumerate([("true", Outcome.OK), ("exit 3", Outcome.EXIT)], start=1):
        work = job(script, number=number)
        running = executor.submit(work)
        assert running.id == work.id
        end = await running.ended()
        assert isinstance(end, AttemptEnd)
        assert (end.id, end.outcome) == (work.id, outcome)
        assert end.duration_seconds >= 0


async def test_submitted_twice_it_runs_once(executor: Executor, job: MakeJob, tmp_path: Path) -> None:
    """Before its end and after it."""
    work = job("echo ran >> ran")
    first, second = executor.submit(work), executor.submit(work)
    await first.ended()
    await second.ended()
    await executor.submit(work).ended()
    assert (tmp_path / "ran").read_text() == "ran\n"


async def test_it_has_room(executor: Executor) -> None:
    """It takes at least one."""
    assert executor.capacity >= 1


async def test_many_may_wait_for_one_end(executor: Executor, job: MakeJob) -> None:
    """And one of them being cancelled harms neither the attempt nor the others."""
    running = executor.submit(job("sleep 0.2"))
    waiting = [asyncio.create_task(running.ended()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    ends = await asyncio.gather(*waiting[1:])
    assert {end.outcome for end in ends} == {Outcome.OK}


@pytest.mark.parametrize("grace", [0.0, 5.0])
async def test_a_stop_ends_it(executor: Executor, job: MakeJob, tmp_path: Path, grace: float) -> None:
    """Whether it asks or kills, nobody is left when the end is told."""
    running = executor.submit(job("echo $$ > pid; exec sleep 60"))
    pid = int(await until(tmp_path / "pid"))
    running.stop(grace)
    running.stop(grace)
    end = await running.ended()
    assert end.outcome is Outcome.CANCELLED
    assert not is_alive(pid)
    running.stop(0.0)  # after the end it does nothing
    assert (await running.ended()).outcome is Outcome.CANCELLED


async def test_a_stop_before_it_has_begun(executor: Executor, job: MakeJob, tmp_path: Path) -> None:
    """A stop may come at any moment, the first one too."""
    running = executor.submit(job("sleep 60"))
    running.stop(5.0)
    assert (await running.ended()).outcome is Outcome.CANCELLED


async def test_changes_are_told(executor: Executor, job: MakeJob) -> None:
    """Whoever wants to know is called, and finds a frozen value."""
    told: list[AttemptFacts] = []
    running = executor.submit(job("echo hi"))
    running.on_change = lambda: told.append(running.facts)
    await running.ended()
    assert any(facts.pid for facts in told)
    assert isinstance(running.facts, AttemptFacts)


async def test_nothing_is_known_of_strangers_attempts(executor: Executor) -> None:
    """What an earlier run has left and nobody runs any more is lost."""
    attempt = AttemptId("earlier", "A1", 1)
    assert await executor.reclaim([attempt]) == {attempt: Lost(attempt)}


async def test_closing_ends_what_runs(job: MakeJob, tmp_path: Path) -> None:
    """Whoever lets go of an executor leaves nobody behind."""
    for make in MAKERS.values():
        made = make(tmp_path)
        running = made.submit(job("echo $$ > pid; exec sleep 60"))
        pid = int(await until(tmp_path / "pid"))
        await made.close()
        await running.ended()
        assert not is_alive(pid)
        (tmp_path / "pid").unlink()


async def test_the_local_executor_is_closed_when_all_have_ended(job: MakeJob, tmp_path: Path) -> None:
    """The program may exit at that moment."""
    executor = LocalExecutor(tmp_path / "logs")
    executor.submit(job("echo $$ > pid; exec sleep 60"))
    pid = int(await until(tmp_path / "pid"))
    await executor.close()
    assert not is_alive(pid)


async def test_a_loop_that_ends_at_once_is_told_of(job: MakeJob, tmp_path: Path) -> None:
    """All its tasks are cancelled before the attempt's first step: that is an end, too."""
    executor = LocalExecutor(tmp_path)
    running = executor.submit(job("touch began"))
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    end = await running.ended()
    assert (end.id, end.outcome) == (running.id, Outcome.CANCELLED)
    assert not (tmp_path / "began").exists()


async def test_of_what_is_over_only_the_end_is_kept(job: MakeJob, tmp_path: Path) -> None:
    """A run of thousands of tasks does not keep all that worked for them."""
    executor = LocalExecutor(tmp_path)
    running = executor.submit(job("echo hi"))
    await running.ended()
    await asyncio.sleep(0)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, LocalAttempt) and thing.id is running.id]
    assert running.facts.log is not None
