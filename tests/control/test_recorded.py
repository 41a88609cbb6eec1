"""What a run says that it has done is kept, whatever happens to the run right after."""

import asyncio
import json
import math
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nova_async._core.threads import in_thread
from nova_async.control.client import connected
from nova_async.control.protocol import Approve, Request, Retry
from nova_async.errors import ControlError
from nova_async.journal.history import History
from nova_async.journal.reader import JournalReader
from nova_async.records import Event
from nova_async.words import EventKind, TaskState
from tests.cli.command import NOVA, nova
from tests.control.runs import Answering, answering, ask_raw, connect, ready

PLAN = """+++
command = ["sh", "-c", "{prompt}"]
max_workers = 4
+++
| ID | What | Deps | Gate |
|---|---|---|---|
| A1 | test -e over \\|\\| exec sleep 60 | - | - |
| B1 | echo B1 >> ran | - | - |
| B2 | echo B2 >> ran | B1 | - |
| C1 | echo C1 >> ran | - | true |
"""
APPROVE = b'{"do": "approve", "id": 1, "tasks": ["C1"]}\n'
RETRY = b'{"do": "retry", "id": 2, "tasks": ["B1"], "downstream": true}\n'
LATER = b'{"do": "workers", "id": 3, "count": 5}\n'


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Return the folder of a run in which two tasks have completed, and its pid."""
    (tmp_path / "CASCADE.md").write_text(PLAN)
    begun = subprocess.run([*NOVA, "run", "--detach", "--json"], cwd=tmp_path, capture_output=True, timeout=30)
    said = json.loads(begun.stdout)
    with connect(Path(said["control"])) as client:
        client.sendall(b'{"do": "watch"}\n')
        with client.makefile("rb") as lines:
            next(line for line in lines if completed(line, "B2"))
    yield tmp_path, said["pid"]
    if Path(f"/proc/{said['pid']}").exists():
        os.kill(said["pid"], signal.SIGKILL)


def completed(line: bytes, task_id: str) -> bool:
    """Tell whether a line of the run says that a task has completed."""
    task = json.loads(line).get("tasks", {}).get(task_id)
    return task is not None and task["nova"]["state"] == "completed"


def kill(pid: int) -> None:
    """Kill a run, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        pass


@pytest.mark.parametrize("is_answered", [True, False])
def test_what_was_answered_is_kept_by_a_killed_run(running: tuple[Path, int], is_answered: bool) -> None:
    """An answer comes after the journal has it. One that was not given: the next run knows nothing of the request."""
    folder, pid = running
    journal = folder / ".nova/journal.db"
    with (
        closing(sqlite3.connect(journal, isolation_level=None)) as busy,
        connect(Path(JournalReader(journal).runs()[0].control or "")) as client,
        client.makefile("rb") as answers,
    ):
        busy.execute("BEGIN IMMEDIATE")  # nobody can write now
        client.sendall(APPROVE + RETRY + LATER)
        assert json.loads(next(answers))["id"] == 3
        if is_answered:
            busy.execute("ROLLBACK")
            said = [json.loads(next(answers)) for _ in range(2)]
            assert [(each["id"], each["ok"]) for each in said] == [(1, True), (2, True)]
        kill(pid)
    (folder / "over").touch()
    before = (folder / "ran").read_text().split()
    assert nova("run", cwd=folder).returncode == (0 if is_answered else 1)
    ran = (folder / "ran").read_text().split()
    if is_answered:  # those that ran again before the kill do not run once more
        assert ("C1" in ran, ran.count("B1") >= 2, ran.count("B2") >= 2) == (True, True, True)
    else:
        assert ran == before == ["B1", "B2"]


def history_of(run: Answering) -> History:
    """Return what the journal of a run has."""
    reader = JournalReader(run.journal)
    return reader.history(reader.runs()[0].start.plan)


async def test_a_journal_that_takes_nothing_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told that its request is not recorded yet, and the run does it as soon as that can be."""
    monkeypatch.setattr("nova_async.control.server.RECORDING", 0.05)
    rows = "ID | What | Gate\n A1 | echo ran > ran | true"
    async with answering(rows, tmp_path) as run:
        await ready(run, lambda: run.runner.views["A1"].needs_approval)
        with closing(sqlite3.connect(run.journal, isolation_level=None)) as busy:
            busy.execute("BEGIN IMMEDIATE")
            [said] = await ask_raw(run.address, b'{"do": "approve", "id": 1, "tasks": ["A1"]}\n')
            assert (said["id"], said["ok"]) == (1, False)
            assert "its journal, which takes nothing at the moment" in said["error"]
            assert not run.runner.views["A1"].attempt
        assert (await run.running).ok
        assert "A1" in history_of(run).approved


async def asked_at_the_end(run: Answering, request: Request, steps: float | None) -> bool:
    """Ask a run for something so many turns of the event loop after its last task has completed, or before that.

    Return whether it is done.
    """
    await ready(run, lambda: run.runner.views["A1"].state is TaskState.COMPLETED)
    async with connected(run.journal) as control, asyncio.timeout(10):
        has_ended = asyncio.Event()

        def told(event: Event) -> None:
            if (event.kind, event.task_id) == (EventKind.TASK_COMPLETED, "A2"):
                has_ended.set()

        no_more = run.runner.listen(lambda _: None, told)
        if steps is None:
            return bool((await control.ask(request))["ok"])
        await in_thread((run.folder / "fifo").write_text, "\n")
        await has_ended.wait()
        no_more()
        if steps == math.inf:
            await control.wait()
        else:
            for _ in range(int(steps)):
                await asyncio.sleep(0)
        try:
            return bool((await control.ask(request))["ok"])
        except ControlError as error:
            refusal = str(error)
    assert refusal.startswith(("the run is over", "the run is ending"))
    return False


@pytest.mark.parametrize("request_", [Approve(tasks=("G1",)), Retry(tasks=("A1",))], ids=["approve", "retry"])
async def test_a_request_while_the_run_ends(tmp_path: Path, request_: Request) -> None:
    """It is answered, or refused, or told that the run is over; never nothing, and what was answered is kept."""
    rows = "ID | What | Deps | Gate\n A1 | true | - | -\n A2 | read x < fifo | - | -\n G1 | true | A2 | true"
    answers = []
    for steps in (None, 0, 1, 2, 5, 20, math.inf):
        folder = tmp_path / str(steps)
        folder.mkdir()
        os.mkfifo(folder / "fifo")
        async with answering(rows, folder, waits_for_approval=False) as run:
            answers.append(await asked_at_the_end(run, request_, steps))
            if steps is None:
                run.runner.stop()
            await run.running
            history = history_of(run)
        assert answers[-1] is ("G1" in history.approved or not history.attempts["A1"][0].counts)
    assert {*answers} == {True, False}
