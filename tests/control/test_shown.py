"""What a run was told is in its state file when the answer comes: every reader of the file sees it."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nova_async.control.client import connected
from nova_async.control.protocol import Approve, Pause, Request, Resume, Retry, Stop, StopTask, Workers
from nova_async.journal.state_document import read_state
from nova_async.views import RunView, TaskView
from nova_async.words import TaskState
from tests.control.runs import answering, ready

ROWS = "ID | What | Gate\n A1 | sleep 60 | \n A2 | exit 3 | \n A3 | true | true"

EFFECTS: Mapping[Request, Callable[[RunView, Mapping[str, TaskView]], bool]] = {
    Pause(): lambda run, _: run.is_paused,
    Approve(tasks=("A3",)): lambda _, tasks: not tasks["A3"].needs_approval,
    Retry(tasks=("A2",)): lambda _, tasks: tasks["A2"].state is TaskState.READY,
    Resume(): lambda run, _: not run.is_paused,
    Workers(count=7): lambda run, _: run.max_workers == 7,
    StopTask(tasks=("A1",)): lambda _, tasks: tasks["A1"].is_stopping or tasks["A1"].is_stopped,
    Stop(): lambda run, _: run.is_stopping or run.end is not None,
}


async def test_an_answer_comes_once_the_state_file_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Though the file is written now and then only: no answer waits for its turn."""
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:
        await ready(run, lambda: run.runner.views["A2"].state is TaskState.FAILED)
        await ready(run, lambda: run.runner.views["A3"].needs_approval)
        monkeypatch.setattr("nova_async.journal.state_file.PAUSE_SECONDS", 1000.0)
        monkeypatch.setattr("nova_async.control.server.SHOWING", 20.0)
        for request, is_so in EFFECTS.items():
            await control.ask(request)
            assert is_so(*read_state(tmp_path / "state.json")), request


async def test_a_state_file_that_is_not_written_holds_no_answer_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A dead disk costs a moment: what was asked is done all the same."""
    async with answering(ROWS, tmp_path) as run, connected(run.journal) as control:

        async def never() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(run.runner, "shown", never)
        monkeypatch.setattr("nova_async.control.server.SHOWING", 0.01)
        assert (await control.ask(Pause()))["ok"]
        assert run.runner.run_view.is_paused
