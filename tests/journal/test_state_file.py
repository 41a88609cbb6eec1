"""The state file follows the run, is never torn, costs what changes, and never troubles the run."""

import asyncio
import json
import os
import resource
import subprocess
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nova_async.journal import state_document, state_file
from nova_async.journal.state_file import StateFile
from nova_async.views import RunView, TaskView
from tests.children import program
from tests.views import run_view

READS = 10_000
VERSIONS = 20


class Run:
    """A run whose tasks change when a test says so, and what was asked about it."""

    def __init__(self, folder: Path, tasks: int = 1) -> None:
        self.number = 0
        self.padding = ""
        self.clock = 0.0
        self.asked: list[str] = []
        self.wrong: Exception | None = None
        self.troubles: list[str | None] = []
        self.scratch = folder / ".nova"
        self.file = StateFile(
            folder / "run" / "cascade_state.json",
            tasks=[f"T{number}" for number in range(tasks)],
            view=self.view,
            run=lambda: run_view(run_id=str(self.number)),
            scratch=self.scratch,
            on_trouble=self.troubles.append,
        )

    def view(self, task_id: str) -> TaskView:
        """Return a task as it is now."""
        self.asked.append(task_id)
        if self.wrong is not None:
            raise self.wrong
        return TaskView(id=task_id, name=self.padding, attempt=self.number, duration_seconds=self.clock)

    def change(self, *task_ids: str) -> None:
        """Let a task change."""
        self.number += 1
        self.file.touch(task_ids or ["T0"])

    @property
    def content(self) -> Any:
        """What the file holds."""
        return json.loads(self.file.path.read_bytes())

    @property
    def written(self) -> int:
        """Of which change the file tells, all through."""
        found = self.content
        assert found["tasks"]["T0"]["nova"]["attempt"] == int(found["nova"]["run_id"])
        return int(found["nova"]["run_id"])

    @property
    def names(self) -> list[str]:
        """What lies in the file's folder and in ours, but for what hides it from git."""
        folders = (self.file.path.parent, self.scratch)
        return sorted(entry.name for folder in folders for entry in folder.iterdir() if entry.name != ".gitignore")


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """Give a run whose state file does not exist yet."""
    run = Run(tmp_path)
    yield run
    await run.file.close()


async def until_written(run: Run, number: int) -> None:
    """Wait until the file tells of a change, as a poller would."""
    async with asyncio.timeout(10):
        while not run.file.path.exists() or run.written < number:
            await asyncio.sleep(0.005)


async def test_at_once_when_all_was_quiet(run: Run) -> None:
    """The first change is written without a pause; then nothing of it stays in the loop."""
    started = asyncio.get_running_loop().time()
    run.change()
    await until_written(run, 1)
    assert asyncio.get_running_loop().time() - started < state_file.PAUSE_SECONDS
    await run.file.close()
    assert run.names == ["cascade_state.json"]


async def test_changes_in_one_step_are_one_write(run: Run) -> None:
    """Of many changes in a row only the latest is looked at."""
    for _ in range(100):
        run.change()
    await run.file.flush()
    assert run.asked == ["T0"]
    assert run.written == 100


async def test_only_what_was_touched_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten thousand tasks, a change of one is one question and one task encoded; the others stay as they were."""
    documents = []
    monkeypatch.setattr(
        state_file, "task_document", lambda view: documents.append(view.id) or state_document.task_document(view)
    )
    run = Run(tmp_path, tasks=10_000)
    run.change()
    await run.file.flush()
    assert sorted(run.asked) == sorted(documents) == sorted(run.content["tasks"])
    run.asked.clear()
    documents.clear()
    run.change("T7", "T8")
    await run.file.close()
    assert sorted(run.asked) == sorted(documents) == ["T7", "T8"]
    tasks = run.content["tasks"]
    assert list(tasks) == [f"T{number}" for number in range(10_000)]
    assert [tasks[task]["nova"]["attempt"] for task in ("T6", "T7", "T8")] == [1, 2, 2]


async def test_a_change_of_the_run_alone(run: Run) -> None:
    """Touching nothing writes the run anew, and asks for no task."""
    run.change()
    await run.file.flush()
    run.asked.clear()
    run.number += 1
    run.file.touch()
    await run.file.flush()
    assert run.asked == []
    assert run.content["nova"]["run_id"] == "2"


async def test_who_waits_for_a_change_finds_it_in_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pause, also where a write was under way or more changes meanwhile; at once where all is quiet."""
    monkeypatch.setattr(state_file, "PAUSE_SECONDS", 1000.0)
    await run.file.written()
    for number in range(1, 6):
        run.change()
        waiting = [asyncio.create_task(run.file.written()) for _ in range(3)]
        if number % 2:
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # the write begins
            run.change()
            waiting.append(asyncio.create_task(run.file.written()))
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)
        assert run.written == run.number
    run.change()
    waiting[0] = asyncio.create_task(run.file.written())
    await asyncio.sleep(0)
    waiting[0].cancel()
    await run.file.close()


async def test_never_staler_than_a_second(run: Run) -> None:
    """While changes keep coming, each is in the file within a second, and few writes do that."""
    clock = asyncio.get_running_loop().time
    started, stalest = clock(), 0.0
    while clock() < started + 1.6:
        run.clock = clock()
        run.change()
        await asyncio.sleep(0.01)
        if run.file.path.exists():
            stalest = max(stalest, clock() - run.content["tasks"]["T0"]["nova"]["duration_seconds"])
    await run.file.close()
    assert stalest < 1.0
    assert 2 <= len(run.asked) <= 5


async def test_closing_writes_the_last_state(run: Run) -> None:
    """Closing does not wait for the pause, may be repeated, and nothing is taken afterwards."""
    run.change()
    await run.file.flush()
    run.change()
    async with asyncio.timeout(state_file.PAUSE_SECONDS):
        await run.file.close()
    assert run.written == 2
    run.change()
    await run.file.close()
    assert run.written == 2


async def test_a_fast_reader_never_sees_a_torn_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least ten thousand reads, while the file is replaced as fast as the disk allows: each is a whole document."""
    monkeypatch.setattr(state_file, "PAUSE_SECONDS", 0.0)
    numbers: list[int] = []
    done = threading.Event()

    def read() -> None:
        try:
            # A slow disk gives a fast reader few versions: it reads on until it has met enough of them.
            while len(numbers) < READS or numbers[-1] - numbers[0] < VERSIONS:
                numbers.append(run.written)
        finally:
            done.set()

    run.change()
    await run.file.flush()
    reader = threading.Thread(target=read)
    reader.start()
    while not done.is_set():
        run.padding = "x" * (run.number % 7 * 20_000)
        run.change()
        await run.file.flush()
    reader.join()
    assert numbers == sorted(numbers)
    assert numbers[-1] - numbers[0] >= VERSIONS


def write_until_killed(run: Run) -> int:
    """Run a program that writes the file, read along, kill it, and return its pid."""
    with subprocess.Popen(program("state_publisher", run.file.path), stdout=subprocess.PIPE) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == b"ready\n"
        try:
            for _ in range(50):
                found = json.loads(run.file.path.read_bytes())
                assert found["tasks"]["F1"]["nova"]["attempt"] == int(found["nova"]["run_id"])
        finally:
            publisher.kill()
    return publisher.pid


@pytest.mark.parametrize("place", ["scratch", "beside"])
async def test_killed_while_writing(tmp_path: Path, place: str) -> None:
    """A writer killed at any moment leaves a whole file, and the next one clears what it left, wherever that lies."""
    run = Run(tmp_path)
    run.scratch.mkdir()
    pids = [write_until_killed(run) for _ in range(3)]
    folder = run.scratch if place == "scratch" else run.file.path.parent
    (folder / f"cascade_state.json.{pids[0]}-00000000.tmp").write_text("{torn")
    (folder / f".cascade_state.json.{pids[1]}-00000000.tmp").write_text("{torn by an earlier version")
    living = folder / f"cascade_state.json.{os.getppid()}-00000000.tmp"
    living.write_text("of a process that lives")
    strange = folder / "cascade_state.json.1-notes.tmp"
    strange.write_text("somebody's")
    run.change()
    await run.file.close()
    assert run.written == 1
    assert set(run.names) >= {living.name, strange.name, "cascade_state.json"}
    assert not (folder / f"cascade_state.json.{pids[0]}-00000000.tmp").exists()
    assert not (folder / f".cascade_state.json.{pids[1]}-00000000.tmp").exists()


@pytest.fixture
def full_disk() -> Any:
    """Let no file grow beyond a hundred bytes until the test says otherwise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(is_full: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100 if is_full else soft, hard))

    yield fill
    fill(False)


async def test_a_full_disk(run: Run, full_disk: Any) -> None:
    """The old file stays whole, the trouble is told once, and so is its end; nothing is left beside the file."""
    run.change()
    await run.file.flush()
    full_disk(True)
    for _ in range(2):
        run.change()
        await run.file.flush()
    assert run.file.error == f"{run.file.path}: File too large"
    full_disk(False)
    assert run.troubles == [run.file.error]
    assert run.written == 1
    assert run.names == ["cascade_state.json"]
    run.change()
    await run.file.flush()
    assert run.troubles == [f"{run.file.path}: File too large", None]
    assert run.file.error is None
    assert run.written == 4


async def test_a_disk_that_has_room_again(run: Run, full_disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is written as soon as it can be, though nothing changes any more."""
    monkeypatch.setattr(state_file, "TRY_AGAIN_SECONDS", 0.01)
    full_disk(True)
    run.change()
    await run.file.flush()
    assert run.file.error is not None
    full_disk(False)
    await until_written(run, 1)


async def test_closing_tries_once_more(run: Run, full_disk: Any) -> None:
    """The last state is not given up because the write before it failed."""
    full_disk(True)
    run.change()
    await run.file.flush()
    full_disk(False)
    await run.file.close()
    assert run.written == 1


async def test_a_wrong_view(run: Run) -> None:
    """A document that cannot be made is told to the loop as the bug it is; the run and the next state are fine."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    run.wrong = ZeroDivisionError()
    run.change()
    await run.file.flush()
    run.wrong, run.clock = None, float("nan")
    run.change()
    await run.file.flush()
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError, ValueError]
    assert run.file.error is not None
    run.clock = 1.0
    run.file.touch()  # what was touched before is not forgotten
    await run.file.close()
    assert run.written == 2


async def test_modes_and_links_stay(run: Run, tmp_path: Path) -> None:
    """Whom the owner let read the file keeps that right, and a link stays a link."""
    real = tmp_path / "real.json"
    real.write_text("{}")
    real.chmod(0o640)
    run.file.path.parent.mkdir()
    run.file.path.symlink_to(real)
    run.change()
    await run.file.close()
    assert run.file.path.is_symlink()
    assert json.loads(real.read_text())["nova"]["run_id"] == "1"
    assert real.stat().st_mode & 0o777 == 0o640


async def test_a_new_file_is_private(run: Run) -> None:
    """What agents do may hold secrets: a file that we make is for its owner, whatever the umask."""
    umask = os.umask(0)
    try:
        run.change()
        await run.file.close()
    finally:
        os.umask(umask)
    assert run.file.path.stat().st_mode & 0o777 == 0o600


async def test_a_folder_taken_away(run: Run) -> None:
    """``git clean`` takes our folder and the file away: the next change writes it again."""
    run.change()
    await run.file.flush()
    for path in (run.file.path, run.scratch / ".gitignore"):
        path.unlink()
    run.scratch.rmdir()
    run.change()
    await run.file.flush()
    assert run.written == 2
    assert (run.scratch / ".gitignore").exists()


async def test_a_task_of_a_plan_that_grew(run: Run) -> None:
    """A task that is touched and was not there before comes last."""
    run.change("T9")
    await run.file.flush()
    assert list(run.content["tasks"]) == ["T0", "T9"]


def test_a_view_is_all_that_it_needs() -> None:
    """Nothing is written before somebody has touched it."""
    file = StateFile(
        Path("/nowhere/state.json"), tasks=["F1"], view=lambda task_id: TaskView(id=task_id),
        run=lambda: RunView(run_id="", project="", cascade_file=""), scratch=Path("/nowhere"),
    )  # fmt: skip
    asyncio.run(file.close())
    assert file.error is None
    assert not Path("/nowhere").exists()


async def test_no_timer_outlives_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """It would be tried again, but not after its run."""
    (tmp_path / "state.json").mkdir()
    file = StateFile(
        tmp_path / "state.json", tasks=(), view=lambda task_id: TaskView(id=task_id), run=run_view, scratch=tmp_path
    )
    file.touch()
    await file.close()
    assert file.error is not None
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert [handle for handle in scheduled if not handle.cancelled()] == []
